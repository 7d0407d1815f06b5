// SPDX-License-Identifier: Apache-2.0
// The streams that threads wait for, as the scheduler sees them: one parked vCPU, the keeper, waits
// for all of them.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/kernel/stream_wait.h"

namespace nsgx::libos {

class StreamWatchList {
 public:
  constexpr StreamWatchList() = default;

  void Add(StreamWatcher& watcher, host::Stream stream, bool for_write);
  void Remove(StreamWatcher& watcher);

  bool is_watching() const { return count_.load() != 0; }
  // Something is watched that no vCPU waits for in the host.
  bool needs_keeper() const {
    return is_watching() && kept_generation_.load() != generation_.load();
  }

  // Waits in the host for the streams and the deadline, and tells the watchers. Requires: the vCPU
  // has parked.
  void WaitAsKeeper(Deadline deadline);
  // Looks once whether streams are ready, and tells the watchers.
  void Poll();

 private:
  static constexpr uint32_t kStreams = 3;
  static constexpr uint32_t kSlots = 2 * kStreams;  // each stream in both directions

  uint32_t Collect(host::Watch (&watch)[kSlots]);
  void Tell(const host::Watch (&watch)[kSlots], uint32_t count, uint32_t ready);

  SpinLock lock_;
  IntrusiveList<StreamWatcher, StreamWatcher> watchers_ GUARDED_BY(lock_);
  std::atomic<uint32_t> count_{0};
  std::atomic<uint64_t> generation_{1};       // changes with each watcher that comes
  std::atomic<uint64_t> kept_generation_{0};  // what the keeper waits for; 0: there is none
};

StreamWatchList& StreamWatches();

}  // namespace nsgx::libos
