// SPDX-License-Identifier: Apache-2.0
// Waiting for the standard streams of nsgx-run: one idle vCPU waits for all threads, while the
// others run. With several things to wait for at once (poll), be a StreamWatcher; with one, call
// WaitForStream.
#pragma once

#include "base/core/intrusive_list.h"
#include "libos/host/host.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

// Told when a stream may be ready. OnStreamReady runs on any vCPU, with the watch list's lock held:
// it may wake threads and take locks that are never held around Watch or Unwatch, and does nothing
// else.
class StreamWatcher : public ListNode<StreamWatcher> {
 public:
  virtual void OnStreamReady(host::Stream stream, bool for_write) = 0;

 protected:
  ~StreamWatcher() = default;

 private:
  friend class HostWatchList;
  host::Stream stream_ = host::Stream::kIn;
  bool for_write_ = false;
};

// Watches until Unwatch; a watcher watches one stream in one direction. Readiness is a hint and is
// told again until Unwatch.
void WatchStream(StreamWatcher& watcher, host::Stream stream, bool for_write);
// OnStreamReady is not running and will not be called any more.
void UnwatchStream(StreamWatcher& watcher);

// Whether `stream` is ready, as the host says now.
bool AskWhetherStreamIsReady(host::Stream stream, bool for_write);

// Sleeps until `stream` may be ready (kWoken: try again), a signal comes or the deadline passes.
WakeReason WaitForStream(host::Stream stream, bool for_write, Deadline deadline);

}  // namespace nsgx::libos
