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
#include "enclave-loader/host/timeout.h"

namespace nsgx::loader {

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

  // The same for whoever has another way to sleep: calls `sleep(nanoseconds)`, which has to return
  // when somebody writes to the eventfd `descriptor`.
  template <typename Function>
  void SleepBy(int descriptor, uint64_t nanoseconds, Function sleep) {
    // First say where we sleep, then look for a wake-up; Wake does it the other way round, so one
    // of us sees the other.
    sleeps_by_.store(descriptor, std::memory_order_seq_cst);
    // Woken: whoever is ready is told all the same.
    sleep(TakeWake() ? 0 : nanoseconds);
    sleeps_by_.store(-1, std::memory_order_seq_cst);
    TakeWake();
  }

  void Wake();

 private:
  // Takes a pending wake-up.
  bool TakeWake() { return woken_.exchange(0, std::memory_order_seq_cst) != 0; }
  // Makes the descriptor by which Wake reaches a thread in poll(); -1 when there is none to be had.
  int WakeDescriptor();

  std::atomic<uint32_t> woken_ = 0;
  std::atomic<int> sleeps_by_ = -1;  // what reaches the thread, if that is not the futex
  std::atomic<int> wake_fd_ = -1;
};

}  // namespace nsgx::loader
