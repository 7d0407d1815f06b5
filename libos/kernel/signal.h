// SPDX-License-Identifier: Apache-2.0
// Signals: who has which pending, and what is done about them on the way back to the program.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/signal_types.h"
#include "libos/kernel/thread.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

// ---- sending
// --------------------------------------------------------------------------------------------------

// Makes the signal pending for one thread, or for whichever thread of the process takes it first. A
// standard signal that is pending already is not queued twice. EAGAIN: too many real-time signals
// are queued.
Result<void, Errno> SendToThread(Thread& thread, const SignalInfo& info);
Result<void, Errno> SendToProcess(const SignalInfo& info);

// A signal that the current thread made by what it did; cannot be ignored or put off: if it is
// blocked or ignored, the process ends by it. `frame`, for the report, may be null.
void SendSynchronous(const SignalInfo& info, const nsgx_frame* frame);

// True when `thread` has a pending signal that ends an interruptible sleep.
bool HasInterruptingSignal(Thread& thread);

// ---- state of the current thread and the process
// ----------------------------------------------------------------

SignalSet BlockedSignals();
// Requires: called by the thread itself. Unblockable signals stay unblocked.
void SetBlockedSignals(SignalSet blocked);
// Until the next handler has returned, or the call that is being made ends: sigsuspend, pselect,
// ppoll.
void SetBlockedSignalsForCall(SignalSet blocked);

SignalAction GetSignalAction(int32_t signal);
void SetSignalAction(int32_t signal, const SignalAction& action);

SignalSet PendingSignalSet();
// How often the timer came again before its last signal was taken.
inline constexpr int32_t kMaxTimers = 256;
std::atomic<int32_t>& OverrunOfTimer(int32_t timer_id);
// Takes one pending signal of `set` out, lowest first; 0: none is pending.
int32_t TakePendingSignal(SignalSet set, SignalInfo* info);

// Told of every signal that becomes pending, for whichever thread: signalfd. OnSignal is called
// with locks held: it takes no lock but its own, and wakes threads at most.
class SignalWatcher : public ListNode<> {
 public:
  virtual void OnSignal(int32_t signal) = 0;

 protected:
  ~SignalWatcher() = default;
};
void WatchSignals(SignalWatcher& watcher);
// OnSignal is not running and will not be called any more.
void UnwatchSignals(SignalWatcher& watcher);

// What a dying thread still had pending is dropped.
void DropPendingSignals(Thread& thread);

// ---- the way back to the program
// ----------------------------------------------------------------------------------

// How the program came into the library OS: decides how an interrupted call is made again.
enum class CameBy { kCall, kRawCall, kException };

// Runs handlers for what is pending: changes `frame`, which is what the program goes on with, and
// writes signal frames to its stack. Does not return when a signal ends the program. `record` is
// null when there is no call to make again.
void DeliverSignals(nsgx_frame& frame, CameBy came_by, const SyscallRecord* record);

// A handler has returned: the program goes on as the signal frame says whose user context is at
// `address`. A frame that cannot be read ends the program.
void RestoreSignalFrame(nsgx_frame& frame, uint64_t address);

// Ends the program as `info.signal` does, with a line that says what happened. `frame` may be null.
[[noreturn]] void DieBySignal(const SignalInfo& info, const nsgx_frame* frame);

}  // namespace nsgx::libos
