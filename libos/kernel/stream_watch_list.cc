// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/stream_watch_list.h"

#include <span>

#include "libos/kernel/scheduler.h"

namespace nsgx::libos {

void StreamWatchList::Add(StreamWatcher& watcher, host::Stream stream, bool for_write) {
  SpinLockGuard guard(lock_);
  watcher.stream_ = stream;
  watcher.for_write_ = for_write;
  watchers_.PushBack(watcher);
  count_.fetch_add(1);
  generation_.fetch_add(1);
}

void StreamWatchList::Remove(StreamWatcher& watcher) {
  SpinLockGuard guard(lock_);
  watchers_.Erase(watcher);
  count_.fetch_sub(1);
}

uint32_t StreamWatchList::Collect(host::Watch (&watch)[kSlots]) {
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

void StreamWatchList::Tell(const host::Watch (&watch)[kSlots], uint32_t count, uint32_t ready) {
  SpinLockGuard guard(lock_);
  for (StreamWatcher& watcher : watchers_) {
    for (uint32_t i = 0; i < count; ++i) {
      if ((ready >> i & 1) != 0 && watch[i].stream == watcher.stream_ &&
          watch[i].for_write == watcher.for_write_) {
        watcher.OnStreamReady(watcher.stream_, watcher.for_write_);
      }
    }
  }
}

void StreamWatchList::WaitAsKeeper(Deadline deadline) {
  kept_generation_.store(generation_.load());
  host::Watch watch[kSlots];
  const uint32_t count = Collect(watch);
  if (count == 0) {
    host::Idle(deadline);
  } else {
    const uint32_t ready = host::Wait(std::span(watch, count), deadline);
    Tell(watch, count, ready);
  }
  kept_generation_.store(0);
}

void StreamWatchList::Poll() {
  host::Watch watch[kSlots];
  const uint32_t count = Collect(watch);
  if (count != 0) {
    Tell(watch, count, host::Wait(std::span(watch, count), 0));
  }
}

namespace {

[[clang::no_destroy]] constinit StreamWatchList stream_watches;

// A thread that waits for one stream and nothing else.
class SleepingReader final : public StreamWatcher {
 public:
  explicit SleepingReader(Thread& thread) : thread_(thread) {}
  void OnStreamReady(host::Stream, bool) override { TryWake(thread_, WakeReason::kWoken); }

 private:
  Thread& thread_;
};

}  // namespace

StreamWatchList& StreamWatches() { return stream_watches; }

void WatchStream(StreamWatcher& watcher, host::Stream stream, bool for_write) {
  stream_watches.Add(watcher, stream, for_write);
  if (stream_watches.needs_keeper()) {
    WakeKeeper();
  }
}

void UnwatchStream(StreamWatcher& watcher) { stream_watches.Remove(watcher); }

WakeReason WaitForStream(host::Stream stream, bool for_write, Deadline deadline) {
  SleepingReader reader(CurrentThread());
  BeginSleep(true);
  WatchStream(reader, stream, for_write);
  const WakeReason reason = Sleep(deadline);
  UnwatchStream(reader);
  return reason;
}

}  // namespace nsgx::libos
