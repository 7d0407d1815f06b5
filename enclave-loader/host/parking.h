// SPDX-License-Identifier: Apache-2.0
// Where the host threads of an enclave's vCPUs sleep: on a futex, or, when they watch streams, in
// poll(). A wake-up is never lost: one that comes before its sleeper makes the next sleep return at
// once.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "base/core/result.h"

namespace nsgx::loader {

// Nanoseconds to sleep at the most; kNoTimeout: until woken.
inline constexpr uint64_t kNoTimeout = ~uint64_t{0};

// The place of one slot. Sleep and SleepOrReady are called by the slot's own thread, Wake by
// anybody.
class ParkingPlace {
 public:
  ParkingPlace() = default;
  ParkingPlace(const ParkingPlace&) = delete;
  ParkingPlace& operator=(const ParkingPlace&) = delete;
  ~ParkingPlace();

  // Returns when woken or when the time is over; may return early.
  void Sleep(uint64_t nanoseconds);

  // The same, and returns as well when one of `streams` is ready; fills in their `revents`. At most
  // kMaxStreams.
  static constexpr size_t kMaxStreams = 33;
  void SleepOrReady(std::span<pollfd> streams, uint64_t nanoseconds);

  void Wake();

 private:
  // Takes a pending wake-up.
  bool TakeWake() { return woken_.exchange(0, std::memory_order_seq_cst) != 0; }
  // Makes the descriptor by which Wake reaches a thread in poll(); -1 when there is none to be had.
  int WakeDescriptor();

  std::atomic<uint32_t> woken_ = 0;
  std::atomic<bool> is_polling_ = false;
  std::atomic<int> wake_fd_ = -1;
};

}  // namespace nsgx::loader
