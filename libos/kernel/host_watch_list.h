// SPDX-License-Identifier: Apache-2.0
// What threads wait for in the host, as the scheduler sees it: the standard streams that somebody
// watches now, signals from outside, and all sockets. One parked vCPU, the keeper, waits for all of
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/kernel/socket_wait.h"
#include "libos/kernel/stream_wait.h"

namespace nsgx::libos {

class HostWatchList {
 public:
  constexpr HostWatchList() = default;

  void Add(StreamWatcher& watcher, host::Stream stream, bool for_write);
  void Remove(StreamWatcher& watcher);

  void SetSink(SocketEventSink* sink) { sink_.store(sink); }
  void AddSocketWaiter() { socket_waiters_.fetch_add(1); }
  void RemoveSocketWaiter() { socket_waiters_.fetch_sub(1); }
  bool has_socket_waiters() const { return socket_waiters_.load() != 0; }
  bool has_sockets() const { return sink_.load() != nullptr; }
  uint64_t last_wait() const { return last_wait_.load(); }

  // Signals come from outside. Once, at boot, if the configuration allows it.
  void AllowSignals() { takes_signals_.store(true); }
  bool takes_signals() const { return takes_signals_.load(std::memory_order_relaxed); }

  bool is_watching() const { return streams_.load() != 0 || has_socket_waiters(); }
  // Something is watched that no vCPU waits for in the host.
  bool needs_keeper() const {
    return (streams_.load() != 0 && kept_generation_.load() != generation_.load()) ||
           (has_socket_waiters() && waiting_.load() == 0);
  }

  // Waits in the host for all that is watched and the deadline, and tells those who watch.
  // Requires: the vCPU has parked.
  void WaitAsKeeper(Deadline deadline);
  // Looks once, and tells those who watch.
  void Poll();
  // The same for one stream: whether it is ready.
  bool Ask(host::Stream stream, bool for_write);
  // Looks unless somebody has done so just now, or a keeper waits.
  void PollSometimes();

 private:
  static constexpr uint32_t kStreams = 3;
  static constexpr uint32_t kSlots = 2 * kStreams;  // each stream in both directions
  // Events taken at once; the others come with the next call.
  static constexpr uint32_t kEvents = 64;

  uint32_t Collect(host::Watch (&watch)[kSlots]);
  // Returns how many streams are ready.
  size_t WaitInHost(std::span<const host::Watch> watch, Deadline deadline);
  void TellStream(const host::Ready& ready);
  void SendFromOutside(uint32_t signals);

  std::atomic<bool> takes_signals_{false};

  SpinLock lock_;
  IntrusiveList<StreamWatcher, StreamWatcher> watchers_ GUARDED_BY(lock_);
  std::atomic<uint32_t> streams_{0};          // watchers
  std::atomic<uint64_t> generation_{1};       // changes with each watcher that comes
  std::atomic<uint64_t> kept_generation_{0};  // what the keeper waits for; 0: there is none

  // Sockets need no list: the host tells of every one, whoever asks.
  std::atomic<SocketEventSink*> sink_{nullptr};
  std::atomic<uint32_t> socket_waiters_{0};
  std::atomic<uint32_t> waiting_{0};  // vCPUs that wait in the host
  std::atomic<uint64_t> last_wait_{0};
  std::atomic<uint64_t> last_look_{0};  // monotonic time
};

HostWatchList& HostWatches();

}  // namespace nsgx::libos
