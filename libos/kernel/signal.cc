// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/signal.h"

#include <atomic>

#include "base/core/spinlock.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal_frame.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

// Queued real-time signals of the whole process (RLIMIT_SIGPENDING).
constexpr uint32_t kMaxQueued = 1024;

constexpr SignalSet kIgnoredByDefault = SignalSet::Of(kSigChld, kSigUrg, kSigWinch, kSigCont);
// There is nobody who could let a stopped enclave go on.
constexpr SignalSet kStopping = SignalSet::Of(kSigStop, kSigTstp, kSigTtin, kSigTtou);

// Protects all pending signals and the actions. Lock order: thread table, signals, run queues.
constinit SpinLock signal_lock;
constinit SignalAction actions[kSignalCount] GUARDED_BY(signal_lock) = {};
[[clang::no_destroy]] constinit PendingSignals process_pending;
// Behind signal_lock in the order.
constinit SpinLock watcher_lock;
[[clang::no_destroy]] constinit IntrusiveList<SignalWatcher> watchers GUARDED_BY(watcher_lock);
constinit std::atomic<uint32_t> watcher_count{0};
constinit std::atomic<uint32_t> queued{0};
constinit std::atomic<int32_t> timer_overruns[kMaxTimers] = {};

SignalSet Pending(const PendingSignals& pending) { return SignalSet(pending.set.load()); }

bool IsIgnored(int32_t signal) REQUIRES(signal_lock) {
  const uint64_t handler = actions[signal - 1].handler;
  return handler == kSigIgn ||
         (handler == kSigDfl && (kIgnoredByDefault | kStopping).Contains(signal));
}

Result<void, Errno> Enqueue(PendingSignals& pending, const SignalInfo& info) REQUIRES(signal_lock) {
  if (info.code == kSiTimer && Pending(pending).Contains(info.signal)) {
    // A timer has one signal at a time; what more it sends is counted.
    for (SignalRecord& record : pending.records) {
      if (record.info.code == kSiTimer && record.info.timer.timer_id == info.timer.timer_id) {
        int32_t& overrun = record.info.timer.overrun;
        if (__builtin_add_overflow(overrun, info.timer.overrun, &overrun) ||
            __builtin_add_overflow(overrun, 1, &overrun)) {
          overrun = INT32_MAX;
        }
        return {};
      }
    }
  }
  if (info.signal < kFirstRealTimeSignal && Pending(pending).Contains(info.signal)) {
    return {};
  }
  SignalRecord* record = nullptr;
  if (queued.load(std::memory_order_relaxed) < kMaxQueued) {
    record = New<SignalRecord>().value_or(nullptr);
  }
  if (record != nullptr) {
    queued.fetch_add(1, std::memory_order_relaxed);
    record->info = info;
    pending.records.PushBack(*record);
  } else if (info.signal >= kFirstRealTimeSignal && info.code != kSiUser) {
    return Error(
        Errno::kEAGAIN);  // its value would be lost; without one the number alone is enough
  }
  pending.set.fetch_or(SignalSet::Of(info.signal).bits());
  return {};
}

// After `signal` has become pending.
void TellWatchers(int32_t signal) {
  if (watcher_count.load() == 0) [[likely]] {
    return;
  }
  SpinLockGuard guard(watcher_lock);
  for (SignalWatcher& watcher : watchers) {
    watcher.OnSignal(signal);
  }
}

// Takes the oldest record of `signal` out. Without one, only the number was kept.
void Dequeue(PendingSignals& pending, int32_t signal, SignalInfo* info) REQUIRES(signal_lock) {
  *info = SignalInfo{};
  info->signal = signal;
  bool found = false;
  bool more = false;
  for (auto next = pending.records.begin(); next != pending.records.end();) {
    SignalRecord& record = *next++;
    if (record.info.signal != signal) {
      continue;
    }
    if (found) {
      more = true;
      break;
    }
    found = true;
    *info = record.info;
    pending.records.Erase(record);
    Delete(&record);
    queued.fetch_sub(1, std::memory_order_relaxed);
  }
  if (!more) {
    pending.set.fetch_and(~SignalSet::Of(signal).bits());
  }
  // A program may make up such signals, too.
  if (info->code == kSiTimer && info->timer.timer_id >= 0 && info->timer.timer_id < kMaxTimers) {
    timer_overruns[info->timer.timer_id].store(info->timer.overrun, std::memory_order_relaxed);
  }
}

void Discard(PendingSignals& pending, SignalSet set) REQUIRES(signal_lock) {
  for (SignalSet left = Pending(pending) & set; !left.is_empty(); left = Pending(pending) & set) {
    SignalInfo info;
    Dequeue(pending, left.First(), &info);
  }
}

// Lets `thread` look at its signals: on its way back to the program, or now if it sleeps and is
// meant.
void Alert(Thread& thread, int32_t signal) {
  thread.attention.fetch_or(kAttentionSignal);
  const SignalSet blocked(thread.blocked.load() & ~thread.waited_for.load());
  if (!blocked.Contains(signal) || signal == kSigCancel) {
    TryInterrupt(thread);
  }
}

// Takes the next signal that is to be delivered now: synchronous ones first, then by number.
int32_t TakeDeliverable(Thread& self, SignalInfo* info, SignalAction* action) {
  SpinLockGuard guard(signal_lock);
  const SignalSet wanted = ~SignalSet(self.blocked.load(std::memory_order_relaxed));
  const SignalSet own = Pending(self.pending) & wanted;
  const SignalSet shared = Pending(process_pending) & wanted;
  const SignalSet either = own | shared;
  const SignalSet urgent = either & kSynchronous;
  const int32_t signal = urgent.is_empty() ? either.First() : urgent.First();
  if (signal == 0) {
    self.attention.fetch_and(~kAttentionSignal);
    return 0;
  }
  Dequeue(own.Contains(signal) ? self.pending : process_pending, signal, info);
  *action = actions[signal - 1];
  if ((action->flags & kSaResetHand) != 0 && action->handler > kSigIgn) {
    actions[signal - 1].handler = kSigDfl;
  }
  return signal;
}

// The call that `frame` returns from is made again instead.
void MakeCallAgain(nsgx_frame& frame, CameBy came_by, const SyscallRecord& record) {
  frame.rdi = record.a1;
  frame.rsi = record.a2;
  frame.rdx = record.a3;
  frame.r8 = record.a5;
  frame.r9 = record.a6;
  frame.rsp = record.user_rsp;
  if (came_by == CameBy::kRawCall) {
    constexpr uint64_t kSyscallInstructionSize = 2;
    frame.rip -= kSyscallInstructionSize;
    frame.rax = record.number;
    frame.r10 = record.a4;
  } else {
    // As a fresh call of libos_syscall: its return address and its seventh argument still lie on
    // the program's stack.
    frame.rip = reinterpret_cast<uint64_t>(&libos_syscall);
    frame.rdi = record.number;
    frame.rsi = record.a1;
    frame.rdx = record.a2;
    frame.rcx = record.a3;
    frame.r8 = record.a4;
    frame.r9 = record.a5;
  }
}

bool WasInterrupted(const nsgx_frame& frame, const SyscallRecord* record) {
  return record != nullptr &&
         frame.rax == static_cast<uint64_t>(-static_cast<int64_t>(Errno::kEINTR)) &&
         libos_call_can_be_made_again(record->number);
}

bool MustBeMadeAgain(const nsgx_frame& frame, const SyscallRecord* record) {
  return record != nullptr &&
         frame.rax == static_cast<uint64_t>(-static_cast<int64_t>(Errno::kERESTARTNOINTR));
}

}  // namespace

// ---- sending
// --------------------------------------------------------------------------------------------------

Result<void, Errno> SendToThread(Thread& thread, const SignalInfo& info) {
  SpinLockGuard guard(signal_lock);
  if (IsIgnored(info.signal) && !SignalSet(thread.blocked.load()).Contains(info.signal)) {
    return {};
  }
  TRY(Enqueue(thread.pending, info));
  TellWatchers(info.signal);
  Alert(thread, info.signal);
  return {};
}

namespace {

// A thread that takes the signal now, the current one for choice; whoever unblocks it later takes
// it otherwise.
struct TakerSearch {
  int32_t signal;
  Thread* taker = nullptr;
};

void ConsiderTaker(Thread& thread, void* context) {
  TakerSearch& search = *static_cast<TakerSearch*>(context);
  const SignalSet blocked(thread.blocked.load() & ~thread.waited_for.load());
  if (!blocked.Contains(search.signal) &&
      (search.taker == nullptr || &thread == &CurrentThread())) {
    search.taker = &thread;
  }
}

bool FirstThreadBlocks(int32_t signal) {
  struct Question {
    int32_t signal;
    bool is_blocked;
  } question = {.signal = signal, .is_blocked = false};
  const auto ask = [](Thread& thread, void* context) -> Result<void, Errno> {
    Question& asked = *static_cast<Question*>(context);
    asked.is_blocked = SignalSet(thread.blocked.load()).Contains(asked.signal);
    return {};
  };
  static_cast<void>(WithThread(kProcessId, ask, &question).ok());
  return question.is_blocked;
}

}  // namespace

Result<void, Errno> SendToProcess(const SignalInfo& info) {
  // Who blocks a signal may give it a handler before unblocking it. Linux asks the first thread.
  const bool is_blocked = FirstThreadBlocks(info.signal);
  {
    SpinLockGuard guard(signal_lock);
    if (IsIgnored(info.signal) && !is_blocked) {
      return {};
    }
    TRY(Enqueue(process_pending, info));
    TellWatchers(info.signal);
  }
  // Under the lock of the thread table, so that the taker does not go away in between.
  TakerSearch search{.signal = info.signal};
  ForEachThread(&ConsiderTaker, &search, [](void* context) {
    const TakerSearch& found = *static_cast<TakerSearch*>(context);
    if (found.taker != nullptr) {
      Alert(*found.taker, found.signal);
    }
  });
  return {};
}

void SendSynchronous(const SignalInfo& info, const nsgx_frame* frame) {
  Thread& self = CurrentThread();
  bool can_be_handled;
  {
    SpinLockGuard guard(signal_lock);
    const uint64_t handler = actions[info.signal - 1].handler;
    can_be_handled = handler > kSigIgn && !SignalSet(self.blocked.load()).Contains(info.signal) &&
                     Enqueue(self.pending, info).ok();
  }
  if (!can_be_handled) {
    DieBySignal(info, frame);
  }
  self.attention.fetch_or(kAttentionSignal);
}

bool HasInterruptingSignal(Thread& thread) {
  const SignalSet pending = Pending(thread.pending) | Pending(process_pending);
  const SignalSet blocked(thread.blocked.load(std::memory_order_relaxed) &
                          ~thread.waited_for.load());
  if (!(pending & ~blocked).is_empty()) {
    thread.attention.fetch_or(kAttentionSignal);
    return true;
  }
  // The C library looks whether the thread is cancelled and only then makes the call. A
  // cancellation that came in between has run its handler, which sent the signal again, blocked: it
  // must end this call. Once: the next call is looked at again.
  if (Pending(thread.pending).Contains(kSigCancel)) {
    SpinLockGuard guard(signal_lock);
    Discard(thread.pending, SignalSet::Of(kSigCancel));
    thread.cancel_interrupt = true;
    thread.attention.fetch_or(kAttentionSignal);
    return true;
  }
  return false;
}

// ---- state
// ----------------------------------------------------------------------------------------------------

SignalSet BlockedSignals() {
  return SignalSet(CurrentThread().blocked.load(std::memory_order_relaxed));
}

void SetBlockedSignals(SignalSet blocked) {
  Thread& self = CurrentThread();
  const SignalSet effective = blocked & ~kUnblockable;
  self.blocked.store(effective.bits(), std::memory_order_relaxed);
  if (!((Pending(self.pending) | Pending(process_pending)) & ~effective).is_empty()) {
    self.attention.fetch_or(kAttentionSignal);
  }
}

void SetBlockedSignalsForCall(SignalSet blocked) {
  Thread& self = CurrentThread();
  self.saved_blocked = BlockedSignals();
  self.restore_blocked = true;
  self.attention.fetch_or(kAttentionSignal);
  SetBlockedSignals(blocked);
}

SignalAction GetSignalAction(int32_t signal) {
  SpinLockGuard guard(signal_lock);
  return actions[signal - 1];
}

void SetSignalAction(int32_t signal, const SignalAction& action) {
  SpinLockGuard guard(signal_lock);
  actions[signal - 1] = action;
  if (IsIgnored(signal)) {
    Discard(process_pending, SignalSet::Of(signal));
    Discard(CurrentThread().pending, SignalSet::Of(signal));
  }
}

std::atomic<int32_t>& OverrunOfTimer(int32_t timer_id) { return timer_overruns[timer_id]; }

SignalSet PendingSignalSet() { return Pending(CurrentThread().pending) | Pending(process_pending); }

int32_t TakePendingSignal(SignalSet set, SignalInfo* info) {
  Thread& self = CurrentThread();
  SpinLockGuard guard(signal_lock);
  const SignalSet own = Pending(self.pending) & set;
  const SignalSet shared = Pending(process_pending) & set;
  const int32_t signal = (own | shared).First();
  if (signal != 0) {
    Dequeue(own.Contains(signal) ? self.pending : process_pending, signal, info);
  }
  return signal;
}

void WatchSignals(SignalWatcher& watcher) {
  SpinLockGuard guard(watcher_lock);
  watchers.PushBack(watcher);
  watcher_count.fetch_add(1);
}

void UnwatchSignals(SignalWatcher& watcher) {
  SpinLockGuard guard(watcher_lock);
  watchers.Erase(watcher);
  watcher_count.fetch_sub(1);
}

void DropPendingSignals(Thread& thread) {
  if (Pending(thread.pending).is_empty()) {
    return;  // nobody can send it any more
  }
  SpinLockGuard guard(signal_lock);
  Discard(thread.pending, ~SignalSet());
}

// ---- delivery
// -------------------------------------------------------------------------------------------------

void DeliverSignals(nsgx_frame& frame, CameBy came_by, const SyscallRecord* record) {
  Thread& self = CurrentThread();
  bool interrupted = WasInterrupted(frame, record) && !self.cancel_interrupt;
  if (MustBeMadeAgain(frame, record)) {
    MakeCallAgain(frame, came_by, *record);
  }
  self.cancel_interrupt = false;
  SignalInfo info;
  SignalAction action;
  while (int32_t signal = TakeDeliverable(self, &info, &action)) {
    if (action.handler == kSigIgn) {
      continue;
    }
    if (action.handler == kSigDfl) {
      if ((kIgnoredByDefault | kStopping).Contains(signal)) {
        continue;
      }
      DieBySignal(info, &frame);
    }
    if (interrupted) {
      interrupted = false;
      // The C library asks for restarts around its cancellation, but waits for the EINTR of the
      // call that was cancelled.
      if ((action.flags & kSaRestart) != 0 && signal != kSigCancel) {
        MakeCallAgain(frame, came_by, *record);
      }
    }
    const SignalSet blocked = BlockedSignals();
    const SignalSet after = self.restore_blocked ? self.saved_blocked : blocked;
    self.restore_blocked = false;
    if (!PushSignalFrame(frame, info, action, after, self.signal_stack)) {
      // Its stack is gone, and so is the way to tell it.
      info = SignalInfo{};
      info.signal = kSigSegv;
      info.code = kSiKernel;
      DieBySignal(info, &frame);
    }
    SignalSet during = blocked | SignalSet(action.mask);
    if ((action.flags & kSaNoDefer) == 0) {
      during.Add(signal);
    }
    SetBlockedSignals(during);
  }
  if (interrupted) {
    // Nobody was called: the signal went to another thread, or is ignored by now.
    MakeCallAgain(frame, came_by, *record);
  }
  if (self.restore_blocked) {
    self.restore_blocked = false;
    SetBlockedSignals(self.saved_blocked);
  }
}

void RestoreSignalFrame(nsgx_frame& frame, uint64_t address) {
  Thread& self = CurrentThread();
  auto restored = PopSignalFrame(frame, address);
  if (!restored.ok()) {
    SignalInfo info = {};
    info.signal = kSigSegv;
    info.code = kSiKernel;
    DieBySignal(info, nullptr);
  }
  SetBlockedSignals(restored.value().blocked);
  // A signal stack that was taken away for the handler's time comes back, if the frame still says
  // so.
  const SignalStack& stack = restored.value().stack;
  if ((self.signal_stack.flags & kSsDisable) != 0 && (stack.flags & kSsAutoDisarm) != 0) {
    self.signal_stack = stack;
    self.signal_stack.flags &= ~kSsOnStack;
  }
}

}  // namespace nsgx::libos
