// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/syscalls.h"

namespace nsgx::libos {
namespace {

constexpr size_t kMaskSize = sizeof(uint64_t);

bool IsSignal(int32_t signal) { return signal >= 1 && signal <= kSignalCount; }

SignalInfo FromUs(int32_t signal, int32_t code) {
  SignalInfo info = {};
  info.signal = signal;
  info.code = code;
  info.sender.pid = kProcessId;
  return info;
}

Result<void, Errno> SendFound(Thread& thread, void* context) {
  const SignalInfo* info = static_cast<const SignalInfo*>(context);
  if (info->signal == 0) {
    return {};
  }
  return SendToThread(thread, *info);
}

SysResult SendToTid(int32_t tid, SignalInfo info) {
  if (tid <= 0 || info.signal < 0 || info.signal > kSignalCount) {
    return Error(Errno::kEINVAL);
  }
  TRY(WithThread(tid, &SendFound, &info));
  return 0;
}

// What a program may say about its own signals: anything. Signal 0 is a question whether one could
// be sent.
Result<SignalInfo, Errno> ReadQueuedInfo(UserIn<SignalInfo> pointer, int32_t signal) {
  if (!IsSignal(signal) && signal != 0) {
    return Error(Errno::kEINVAL);
  }
  SignalInfo info = TRY(Read(pointer));
  info.signal = signal;
  return info;
}

}  // namespace

SysResult SysRtSigaction(int32_t signal, UserIn<SignalAction> action, UserOut<SignalAction> old,
                         size_t mask_size) {
  if (!IsSignal(signal) || mask_size != kMaskSize) {
    return Error(Errno::kEINVAL);
  }
  const SignalAction before = GetSignalAction(signal);
  if (!action.is_null()) {
    SignalAction wanted = TRY(Read(action));
    if (kUnblockable.Contains(signal)) {
      return Error(Errno::kEINVAL);
    }
    wanted.mask &= ~kUnblockable.bits();
    SetSignalAction(signal, wanted);
  }
  if (!old.is_null()) {
    TRY(Write(old, before));
  }
  return 0;
}

SysResult SysRtSigprocmask(int32_t how, UserIn<uint64_t> set, UserOut<uint64_t> old,
                           size_t mask_size) {
  if (mask_size != kMaskSize) {
    return Error(Errno::kEINVAL);
  }
  const SignalSet before = BlockedSignals();
  if (!set.is_null()) {
    enum : int32_t { kBlock = 0, kUnblock = 1, kSetMask = 2 };
    const SignalSet given(TRY(Read(set)));
    switch (how) {
      case kBlock:
        SetBlockedSignals(before | given);
        break;
      case kUnblock:
        SetBlockedSignals(before & ~given);
        break;
      case kSetMask:
        SetBlockedSignals(given);
        break;
      default:
        return Error(Errno::kEINVAL);
    }
  }
  if (!old.is_null()) {
    TRY(Write(old, before.bits()));
  }
  return 0;
}

SysResult SysRtSigpending(UserOut<uint64_t> set, size_t mask_size) {
  if (mask_size > kMaskSize) {
    return Error(Errno::kEINVAL);
  }
  TRY(Write(set, (PendingSignalSet() & BlockedSignals()).bits()));
  return 0;
}

SysResult SysRtSigsuspend(UserIn<uint64_t> mask, size_t mask_size) {
  if (mask_size != kMaskSize) {
    return Error(Errno::kEINVAL);
  }
  SetBlockedSignalsForCall(SignalSet(TRY(Read(mask))));
  return SysPause();
}

SysResult SysPause() {
  // Another thread may take the signal that woke this one.
  do {
    BeginSleep(true);
    Sleep(kForever);
  } while (!HasInterruptingSignal(CurrentThread()) && !CurrentThread().cancel_interrupt);
  return Error(Errno::kEINTR);
}

SysResult SysRtSigtimedwait(UserIn<uint64_t> set, UserOut<SignalInfo> info,
                            UserIn<KernelTimespec> timeout, size_t mask_size) {
  if (mask_size != kMaskSize) {
    return Error(Errno::kEINVAL);
  }
  const SignalSet wanted = SignalSet(TRY(Read(set))) & ~kUnblockable;
  Deadline deadline = kForever;
  if (!timeout.is_null()) {
    deadline = DeadlineAfter(TRY(FromTimespec(TRY(Read(timeout)))));
  }
  Thread& self = CurrentThread();
  SignalInfo taken;
  int32_t signal = TakePendingSignal(wanted, &taken);
  WakeReason reason = WakeReason::kWoken;
  while (signal == 0 && reason != WakeReason::kTimeout) {
    self.waited_for.store(wanted.bits());
    BeginSleep(true);
    reason = Sleep(deadline);
    self.waited_for.store(0);
    signal = TakePendingSignal(wanted, &taken);
    if (signal == 0 && reason == WakeReason::kSignal &&
        (HasInterruptingSignal(self) || self.cancel_interrupt)) {
      return Error(Errno::kEINTR);
    }
  }
  if (signal == 0) {
    return Error(Errno::kEAGAIN);
  }
  if (!info.is_null()) {
    TRY(Write(info, taken));
  }
  return signal;
}

SysResult SysRtSigqueueinfo(int32_t pid, int32_t signal, UserIn<SignalInfo> info) {
  if (pid != kProcessId) {
    return Error(Errno::kESRCH);
  }
  const SignalInfo queued = TRY(ReadQueuedInfo(info, signal));
  if (signal != 0) {
    TRY(SendToProcess(queued));
  }
  return 0;
}

SysResult SysRtTgsigqueueinfo(int32_t pid, int32_t tid, int32_t signal, UserIn<SignalInfo> info) {
  if (pid != kProcessId) {
    return Error(Errno::kESRCH);
  }
  return SendToTid(tid, TRY(ReadQueuedInfo(info, signal)));
}

// Handlers return to libos_sigreturn, which the C library's restorer leads to. A program with a
// restorer of its own makes a raw call, with the frame where its stack pointer is.
SysResult SysRtSigreturn() {
  Thread& self = CurrentThread();
  if (self.raw_frame == nullptr) {
    return Error(Errno::kENOSYS);
  }
  RestoreSignalFrame(*self.raw_frame, self.raw_frame->rsp);
  return static_cast<int64_t>(self.raw_frame->rax);
}

SysResult SysSigaltstack(UserIn<SignalStack> stack, UserOut<SignalStack> old) {
  Thread& self = CurrentThread();
  const bool in_use = (self.signal_stack.flags & kSsDisable) == 0 &&
                      self.signal_stack.Holds(self.record().user_rsp);
  SignalStack before = self.signal_stack;
  if (in_use) {
    before.flags |= kSsOnStack;
  }
  if (!stack.is_null()) {
    SignalStack wanted = TRY(Read(stack));
    if (in_use) {
      return Error(Errno::kEPERM);
    }
    const int32_t mode = wanted.flags & ~kSsAutoDisarm;
    if (mode != 0 && mode != kSsDisable && mode != kSsOnStack) {
      return Error(Errno::kEINVAL);
    }
    if (mode == kSsDisable) {
      wanted = {.base = 0, .flags = kSsDisable, .padding = 0, .size = 0};
    } else {
      if (wanted.size < kMinSignalStack) {
        return Error(Errno::kENOMEM);
      }
      wanted.flags &= kSsAutoDisarm;
      wanted.padding = 0;
    }
    self.signal_stack = wanted;
  }
  if (!old.is_null()) {
    TRY(Write(old, before));
  }
  return 0;
}

SysResult SysKill(int32_t pid, int32_t signal) {
  if (signal < 0 || signal > kSignalCount) {
    return Error(Errno::kEINVAL);
  }
  // -1 is everybody else, and there is nobody.
  if (pid != kProcessId && pid != 0) {
    return Error(Errno::kESRCH);
  }
  if (signal != 0) {
    TRY(SendToProcess(FromUs(signal, kSiUser)));
  }
  return 0;
}

SysResult SysTkill(int32_t tid, int32_t signal) { return SendToTid(tid, FromUs(signal, kSiTkill)); }

SysResult SysTgkill(int32_t pid, int32_t tid, int32_t signal) {
  if (pid <= 0) {
    return Error(Errno::kEINVAL);
  }
  if (pid != kProcessId) {
    return Error(Errno::kESRCH);
  }
  return SendToTid(tid, FromUs(signal, kSiTkill));
}

}  // namespace nsgx::libos
