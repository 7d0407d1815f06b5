// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/fake_streams.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <span>

#include "libos/kernel/stream_wait.h"

namespace nsgx::libos {

class HostWatchList {
 public:
  struct Stream {
    bool is_terminal = false;
    uint16_t rows = 0;
    uint16_t columns = 0;
    std::string data;  // to be read, or written
    size_t room = SIZE_MAX;
    bool has_ended = false;
  };

  static HostWatchList& The() {
    static HostWatchList* list = new HostWatchList;  // used until the process ends
    return *list;
  }

  Stream& stream(host::Stream which) { return streams_[static_cast<size_t>(which)]; }

  bool IsReady(host::Stream which, bool for_write) {
    const Stream& asked = stream(which);
    return for_write ? asked.room != 0 || asked.has_ended : !asked.data.empty() || asked.has_ended;
  }

  // Requires: the mutex.
  void Tell() {
    for (StreamWatcher& watcher : watchers_) {
      if (IsReady(watcher.stream_, watcher.for_write_)) {
        watcher.OnStreamReady(watcher.stream_, watcher.for_write_);
      }
    }
  }

  void Add(StreamWatcher& watcher, host::Stream which, bool for_write) {
    std::lock_guard guard(mutex);
    watcher.stream_ = which;
    watcher.for_write_ = for_write;
    watchers_.PushBack(watcher);
    ++count;
    Tell();
  }

  void Remove(StreamWatcher& watcher) {
    std::lock_guard guard(mutex);
    watchers_.Erase(watcher);
    --count;
  }

  void Reset() {
    std::lock_guard guard(mutex);
    streams_ = {};
    transfer_limit = SIZE_MAX;
  }

  std::mutex mutex;
  size_t transfer_limit = SIZE_MAX;
  size_t count = 0;

 private:
  using WatcherTag = StreamWatcher;
  std::array<Stream, 3> streams_;
  IntrusiveList<StreamWatcher, WatcherTag> watchers_;
};

namespace {

// A thread that waits for one stream.
class Sleeper final : public StreamWatcher {
 public:
  void OnStreamReady(host::Stream, bool) override {
    SpinLockGuard guard(lock);
    is_told = true;
    queue.WakeAll();
  }

  SpinLock lock;
  WaitQueue queue;
  bool is_told = false;
};

}  // namespace

void WatchStream(StreamWatcher& watcher, host::Stream stream, bool for_write) {
  HostWatchList::The().Add(watcher, stream, for_write);
}

void UnwatchStream(StreamWatcher& watcher) { HostWatchList::The().Remove(watcher); }

bool AskWhetherStreamIsReady(host::Stream stream, bool for_write) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  return list.IsReady(stream, for_write);
}

WakeReason WaitForStream(host::Stream stream, bool for_write, Deadline deadline) {
  Sleeper sleeper;
  WatchStream(sleeper, stream, for_write);
  WakeReason reason = WakeReason::kWoken;
  sleeper.lock.Lock();
  if (sleeper.is_told) {
    sleeper.lock.Unlock();
  } else {
    reason = Block(sleeper.queue, sleeper.lock, deadline, true);
  }
  UnwatchStream(sleeper);
  return reason;
}

namespace host {

Result<size_t, Errno> StreamRead(Stream stream, std::span<std::byte> out) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  HostWatchList::Stream& from = list.stream(stream);
  if (from.data.empty()) {
    if (from.has_ended) {
      return size_t{0};
    }
    return Error(Errno::kEAGAIN);
  }
  const size_t size = std::min({out.size(), from.data.size(), list.transfer_limit});
  std::memcpy(out.data(), from.data.data(), size);
  from.data.erase(0, size);
  return size;
}

Result<size_t, Errno> StreamWrite(Stream stream, std::span<const std::byte> data) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  HostWatchList::Stream& to = list.stream(stream);
  if (to.has_ended) {
    return Error(Errno::kEPIPE);
  }
  if (to.room == 0) {
    return Error(Errno::kEAGAIN);
  }
  const size_t size = std::min({data.size(), to.room, list.transfer_limit});
  to.data.append(reinterpret_cast<const char*>(data.data()), size);
  if (to.room != SIZE_MAX) {
    to.room -= size;
  }
  return size;
}

Result<StreamInfo, Errno> StreamQuery(Stream stream) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  const HostWatchList::Stream& asked = list.stream(stream);
  return StreamInfo{.is_terminal = asked.is_terminal, .rows = asked.rows, .columns = asked.columns};
}

}  // namespace host

namespace testing {
namespace {

template <typename Change>
void ChangeStream(host::Stream stream, Change change) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  change(list.stream(stream));
  list.Tell();
}

}  // namespace

void ResetStreams() { HostWatchList::The().Reset(); }

void MakeTerminal(host::Stream stream, uint16_t rows, uint16_t columns) {
  ChangeStream(stream, [&](auto& changed) {
    changed.is_terminal = true;
    changed.rows = rows;
    changed.columns = columns;
  });
}

void ProvideInput(std::string_view text) {
  ChangeStream(host::Stream::kIn, [&](auto& changed) { changed.data.append(text); });
}

void EndInput() {
  ChangeStream(host::Stream::kIn, [](auto& changed) { changed.has_ended = true; });
}

void LimitOutput(host::Stream stream, size_t room) {
  ChangeStream(stream, [&](auto& changed) { changed.room = room; });
}

void BreakOutput(host::Stream stream) {
  ChangeStream(stream, [](auto& changed) { changed.has_ended = true; });
}

std::string OutputOf(host::Stream stream) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  return list.stream(stream).data;
}

void LimitTransfer(size_t bytes) {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  list.transfer_limit = bytes;
}

size_t watcher_count() {
  HostWatchList& list = HostWatchList::The();
  std::lock_guard guard(list.mutex);
  return list.count;
}

}  // namespace testing
}  // namespace nsgx::libos
