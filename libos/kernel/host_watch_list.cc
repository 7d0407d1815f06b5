// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/host_watch_list.h"

#include <algorithm>

#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"

namespace nsgx::libos {
namespace {

// Linux's POLL* bits.
constexpr uint32_t kErrorEvents = 0x018;  // POLLERR, POLLHUP
constexpr uint32_t kReadEvents = 0x001 | kErrorEvents;
constexpr uint32_t kWriteEvents = 0x004 | kErrorEvents;

// How old the last look may be when others are ready all the time.
constexpr uint64_t kFreshness = 50'000;

bool IsOfSocket(const host::Ready& ready) { return ready.source >= host::kSocketSource; }

}  // namespace

void HostWatchList::Add(StreamWatcher& watcher, host::Stream stream, bool for_write) {
  SpinLockGuard guard(lock_);
  watcher.stream_ = stream;
  watcher.for_write_ = for_write;
  watchers_.PushBack(watcher);
  streams_.fetch_add(1);
  generation_.fetch_add(1);
}

void HostWatchList::Remove(StreamWatcher& watcher) {
  SpinLockGuard guard(lock_);
  watchers_.Erase(watcher);
  streams_.fetch_sub(1);
}

uint32_t HostWatchList::Collect(host::Watch (&watch)[kSlots]) {
  if (streams_.load() == 0) {
    return 0;
  }
  bool wanted[kSlots] = {};
  {
    SpinLockGuard guard(lock_);
    for (const StreamWatcher& watcher : watchers_) {
      wanted[2 * static_cast<uint32_t>(watcher.stream_) + (watcher.for_write_ ? 1 : 0)] = true;
    }
  }
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (wanted[slot]) {
      watch[count++] = {.stream = static_cast<host::Stream>(slot / 2), .for_write = slot % 2 != 0};
    }
  }
  return count;
}

void HostWatchList::TellStream(const host::Ready& ready) {
  SpinLockGuard guard(lock_);
  for (StreamWatcher& watcher : watchers_) {
    if (static_cast<uint32_t>(watcher.stream_) == ready.source &&
        (ready.events & (watcher.for_write_ ? kWriteEvents : kReadEvents)) != 0) {
      watcher.OnStreamReady(watcher.stream_, watcher.for_write_);
    }
  }
}

// The host may say so only if the measured configuration allows it: else it is never asked, and
// what was not asked for is no answer.
void HostWatchList::SendFromOutside(uint32_t signals) {
  SignalSet left(signals & host::kOutsideSignals);
  while (!left.is_empty()) {
    SignalInfo info = {};
    info.signal = left.First();
    info.code = kSiUser;
    left.Remove(info.signal);
    // One that is pending already counts once; there is nobody to tell of anything else.
    static_cast<void>(SendToProcess(info).ok());
  }
}

size_t HostWatchList::WaitInHost(std::span<const host::Watch> watch, Deadline deadline) {
  host::Ready ready[kEvents];
  const uint64_t wait = last_wait_.fetch_add(1) + 1;
  const size_t count = host::Wait(watch, takes_signals(), ready, deadline);
  last_look_.store(MonotonicNow(), std::memory_order_relaxed);
  const std::span told(ready, count);
  // Streams come first, then sockets.
  const auto sockets = std::ranges::find_if(told, IsOfSocket);
  size_t streams = 0;
  for (const host::Ready& other : std::span(told.begin(), sockets)) {
    if (other.source == host::kSignalSource) {
      SendFromOutside(other.events);
    } else {
      TellStream(other);
      ++streams;
    }
  }
  SocketEventSink* const sink = sink_.load();
  if (sockets != told.end() && sink != nullptr) {
    sink->OnSocketEvents(std::span(sockets, told.end()), wait);
  }
  return streams;
}

void HostWatchList::WaitAsKeeper(Deadline deadline) {
  kept_generation_.store(generation_.load());
  waiting_.fetch_add(1);
  host::Watch watch[kSlots];
  const uint32_t count = Collect(watch);
  if (count != 0 || has_socket_waiters() || takes_signals()) {
    WaitInHost(std::span(watch, count), deadline);
    waiting_.fetch_sub(1);
  } else {
    waiting_.fetch_sub(1);
    // Who comes from here on sees that nobody waits for sockets, and wakes the keeper; who came
    // before is seen here.
    if (!has_socket_waiters()) {
      host::Idle(deadline);
    }
  }
  kept_generation_.store(0);
}

void HostWatchList::Poll() {
  host::Watch watch[kSlots];
  const uint32_t count = Collect(watch);
  if (count != 0 || has_sockets() || takes_signals()) {
    WaitInHost(std::span(watch, count), 0);
  }
}

bool HostWatchList::Ask(host::Stream stream, bool for_write) {
  const host::Watch watch = {.stream = stream, .for_write = for_write};
  return WaitInHost(std::span(&watch, 1), 0) != 0;
}

void HostWatchList::PollSometimes() {
  if (has_socket_waiters() && waiting_.load() == 0 &&
      MonotonicNow() - last_look_.load(std::memory_order_relaxed) >= kFreshness) {
    Poll();
  }
}

namespace {

[[clang::no_destroy]] constinit HostWatchList host_watches;

// A thread that waits for one stream and nothing else.
class SleepingReader final : public StreamWatcher {
 public:
  explicit SleepingReader(Thread& thread) : thread_(thread) {}
  void OnStreamReady(host::Stream, bool) override { TryWake(thread_, WakeReason::kWoken); }

 private:
  Thread& thread_;
};

void EnsureKeeper() {
  if (host_watches.needs_keeper()) {
    WakeKeeper();
  }
}

}  // namespace

HostWatchList& HostWatches() { return host_watches; }

// ---- stream_wait.h

void WatchStream(StreamWatcher& watcher, host::Stream stream, bool for_write) {
  host_watches.Add(watcher, stream, for_write);
  EnsureKeeper();
}

void UnwatchStream(StreamWatcher& watcher) { host_watches.Remove(watcher); }

bool AskWhetherStreamIsReady(host::Stream stream, bool for_write) {
  return host_watches.Ask(stream, for_write);
}

WakeReason WaitForStream(host::Stream stream, bool for_write, Deadline deadline) {
  SleepingReader reader(CurrentThread());
  BeginSleep(true);
  WatchStream(reader, stream, for_write);
  const WakeReason reason = Sleep(deadline);
  UnwatchStream(reader);
  return reason;
}

// ---- socket_wait.h

void SetSocketEventSink(SocketEventSink* sink) { host_watches.SetSink(sink); }

void AddSocketWaiter() {
  host_watches.AddSocketWaiter();
  EnsureKeeper();
}

void RemoveSocketWaiter() { host_watches.RemoveSocketWaiter(); }

uint64_t LastSocketWait() { return host_watches.last_wait(); }

bool LookForSocketEvents() {
  if (!host_watches.has_sockets()) {
    return false;
  }
  host_watches.Poll();
  return true;
}

void LookForSocketEventsSometimes() { host_watches.PollSometimes(); }

}  // namespace nsgx::libos
