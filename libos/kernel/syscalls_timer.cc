// SPDX-License-Identifier: Apache-2.0
// Timers of the program that send signals: alarm, setitimer, timer_create and their kin.
#include <new>

#include "base/core/spinlock.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/timer_queue.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

constexpr int32_t kMaxTimers = 256;

enum : int32_t { kNotifySignal = 0, kNotifyNone = 1, kNotifyThreadId = 4 };

// The program's part of a timer: who is sent what, and how often. `period` and `deadline` are the
// timer queue's while the timer is armed, and its lock protects them.
struct SignalTimer : Timer {
  SignalTimer() : Timer(&OnTime) {}
  static Deadline OnTime(Timer& timer, Deadline now);

  bool is_wall_clock = false;
  int32_t notify = kNotifySignal;
  int32_t target = 0;  // thread, for kNotifyThreadId
  SignalInfo info = {};
  uint64_t period = 0;
  Deadline deadline = kForever;
};

Result<void, Errno> SendFromTimer(Thread& thread, void* context) {
  return SendToThread(thread, *static_cast<const SignalInfo*>(context));
}

// Runs with the timer queue's lock held. A signal that cannot be queued is lost, as a thread is
// that has ended: there is nobody to tell.
Deadline SignalTimer::OnTime(Timer& timer, Deadline now) {
  SignalTimer& self = static_cast<SignalTimer&>(timer);
  const Deadline due = self.deadline;
  self.info.timer.overrun = 0;
  if (self.period != 0) {
    // What came while nobody looked counts as overrun.
    const uint64_t missed = (now - due) / self.period;
    self.info.timer.overrun = static_cast<int32_t>(missed < 0x7fffffff ? missed : 0x7fffffff);
    self.deadline = due + (missed + 1) * self.period;
  } else {
    self.deadline = kForever;
  }
  if (self.notify == kNotifySignal) {
    static_cast<void>(SendToProcess(self.info).ok());
  } else if (self.notify == kNotifyThreadId) {
    static_cast<void>(WithThread(self.target, &SendFromTimer, &self.info).ok());
  }
  return self.deadline;
}

// How a timer was set, before it is set anew.
struct Setting {
  uint64_t left;
  uint64_t period;
};

Setting ReadTimer(SignalTimer& timer) {
  const Deadline deadline = Timers().Disarm(timer);
  const Setting setting = {.left = 0, .period = timer.period};
  if (deadline == kForever) {
    return setting;
  }
  Timers().Arm(timer, deadline);
  const uint64_t now = MonotonicNow();
  return {.left = deadline > now ? deadline - now : 1, .period = timer.period};
}

Setting SetTimer(SignalTimer& timer, Deadline deadline, uint64_t period) {
  const Deadline old = Timers().Disarm(timer);
  const uint64_t now = MonotonicNow();
  const Setting before = {.left = old == kForever ? 0
                                  : old > now     ? old - now
                                                  : 1,
                          .period = timer.period};
  timer.period = period;
  timer.deadline = deadline;
  if (deadline != kForever) {
    Timers().Arm(timer, deadline);
    NoticeNewDeadline();
  }
  return before;
}

// ---- the one interval timer of the process ----------------------------------------------------

enum : int32_t { kIntervalReal = 0 };

SignalTimer& RealTimer() {
  alignas(SignalTimer) static constinit char place[sizeof(SignalTimer)] = {};
  static constinit SignalTimer* timer = nullptr;
  if (timer == nullptr) {
    timer = ::new (static_cast<void*>(place)) SignalTimer();
    timer->info.signal = kSigAlrm;
    timer->info.code = kSiKernel;
  }
  return *timer;
}

constinit SpinLock real_lock;

KernelTimeval RoundedTimeval(uint64_t nanoseconds) {
  // A timer that still runs must not look like one that does not.
  return ToTimeval(nanoseconds == 0 ? 0 : nanoseconds < 1000 ? 1000 : nanoseconds);
}

Result<uint64_t, Errno> FromTimeval(const KernelTimeval& time) {
  if (time.microseconds < 0 || time.microseconds >= 1'000'000) {
    return Error(Errno::kEINVAL);
  }
  return FromTimespec({.seconds = time.seconds, .nanoseconds = time.microseconds * 1000});
}

Result<void, Errno> WriteSetting(UserOut<KernelTimeval> out, const Setting& setting) {
  TRY(Write(out, RoundedTimeval(setting.period), 0));
  return Write(out, RoundedTimeval(setting.left), 1);
}

// ---- timers by number
// ----------------------------------------------------------------------------

constinit SpinLock table_lock;
constinit SignalTimer* table[kMaxTimers] GUARDED_BY(table_lock) = {};

// EINVAL: there is no such timer.
Result<SignalTimer*, Errno> FindTimer(int32_t id) REQUIRES(table_lock) {
  if (id < 0 || id >= kMaxTimers || table[id] == nullptr) {
    return Error(Errno::kEINVAL);
  }
  return table[id];
}

// struct sigevent, as far as the kernel reads it.
struct SignalEvent {
  uint64_t value;
  int32_t signal;
  int32_t notify;
  int32_t thread;
};

struct TimerSetting {
  KernelTimespec period;
  KernelTimespec value;
};

}  // namespace

SysResult SysGetitimer(int32_t which, UserOut<KernelTimeval> value) {
  if (which != kIntervalReal) {
    return Error(Errno::kEINVAL);
  }
  Setting setting;
  {
    SpinLockGuard guard(real_lock);
    setting = ReadTimer(RealTimer());
  }
  TRY(WriteSetting(value, setting));
  return 0;
}

SysResult SysSetitimer(int32_t which, UserIn<KernelTimeval> value, UserOut<KernelTimeval> old) {
  if (which != kIntervalReal) {
    return Error(Errno::kEINVAL);
  }
  uint64_t period = 0;
  uint64_t first = 0;
  if (!value.is_null()) {
    period = TRY(FromTimeval(TRY(Read(value, 0))));
    first = TRY(FromTimeval(TRY(Read(value, 1))));
  }
  Setting before;
  {
    SpinLockGuard guard(real_lock);
    before = SetTimer(RealTimer(), first == 0 ? kForever : DeadlineAfter(first), period);
  }
  if (!old.is_null()) {
    TRY(WriteSetting(old, before));
  }
  return 0;
}

SysResult SysAlarm(uint32_t seconds) {
  SpinLockGuard guard(real_lock);
  const Setting before = SetTimer(
      RealTimer(), seconds == 0 ? kForever : DeadlineAfter(seconds * kNanosecondsPerSecond), 0);
  return static_cast<int64_t>((before.left + kNanosecondsPerSecond - 1) / kNanosecondsPerSecond);
}

SysResult SysTimerCreate(int32_t clock, UserIn<std::byte> event, UserOut<int32_t> id) {
  if (!IsWallClock(clock) && !IsMonotonicClock(clock)) {
    // Timers of processor time are not there.
    return Error(clock == kClockProcessCpu || clock == kClockThreadCpu || clock < 0
                     ? Errno::kEOPNOTSUPP
                     : Errno::kEINVAL);
  }
  SignalEvent wanted = {.value = 0, .signal = kSigAlrm, .notify = kNotifySignal, .thread = 0};
  if (!event.is_null()) {
    wanted = TRY(Read(UserIn<SignalEvent>(event.address())));
    if (wanted.notify != kNotifySignal && wanted.notify != kNotifyNone &&
        wanted.notify != kNotifyThreadId) {
      return Error(Errno::kEINVAL);
    }
    if (wanted.notify != kNotifyNone && (wanted.signal < 1 || wanted.signal > kSignalCount)) {
      return Error(Errno::kEINVAL);
    }
  }
  SignalTimer* timer = TRY(New<SignalTimer>());
  timer->is_wall_clock = IsWallClock(clock);
  timer->notify = wanted.notify;
  timer->target = wanted.thread;
  timer->info.signal = wanted.signal;
  timer->info.code = kSiTimer;
  timer->info.timer.value = wanted.value;
  int32_t number = 0;
  {
    SpinLockGuard guard(table_lock);
    while (number < kMaxTimers && table[number] != nullptr) {
      ++number;
    }
    if (number < kMaxTimers) {
      table[number] = timer;
      timer->info.timer.timer_id = number;
      if (event.is_null()) {
        timer->info.timer.value = static_cast<uint64_t>(number);
      }
    }
  }
  if (number == kMaxTimers) {
    Delete(timer);
    return Error(Errno::kEAGAIN);
  }
  auto written = Write(id, number);
  if (!written.ok()) {
    return SysTimerDelete(number).ok() ? SysResult(Error(written.error())) : Error(Errno::kEINVAL);
  }
  return 0;
}

SysResult SysTimerDelete(int32_t id) {
  SignalTimer* timer;
  {
    SpinLockGuard guard(table_lock);
    timer = TRY(FindTimer(id));
    table[id] = nullptr;
    Timers().Disarm(*timer);
  }
  Delete(timer);
  return 0;
}

SysResult SysTimerSettime(int32_t id, int32_t flags, UserIn<KernelTimespec> value,
                          UserOut<KernelTimespec> old) {
  constexpr int32_t kAbsolute = 1;
  const uint64_t period = TRY(FromTimespec(TRY(Read(value, 0))));
  const uint64_t first = TRY(FromTimespec(TRY(Read(value, 1))));
  Setting before;
  {
    const uint64_t wall_now = WallClockNow();  // not under a lock: it may be a host call
    SpinLockGuard guard(table_lock);
    SignalTimer& timer = *TRY(FindTimer(id));
    Deadline deadline = kForever;
    if (first != 0) {
      deadline = (flags & kAbsolute) == 0 ? DeadlineAfter(first)
                 : timer.is_wall_clock    ? DeadlineAfter(first > wall_now ? first - wall_now : 0)
                                          : first;
    }
    before = SetTimer(timer, deadline, period);
  }
  if (!old.is_null()) {
    TRY(Write(old, ToTimespec(before.period), 0));
    TRY(Write(old, ToTimespec(before.left), 1));
  }
  return 0;
}

SysResult SysTimerGettime(int32_t id, UserOut<KernelTimespec> value) {
  Setting setting;
  {
    SpinLockGuard guard(table_lock);
    setting = ReadTimer(*TRY(FindTimer(id)));
  }
  TRY(Write(value, ToTimespec(setting.period), 0));
  TRY(Write(value, ToTimespec(setting.left), 1));
  return 0;
}

SysResult SysTimerGetoverrun(int32_t id) {
  SpinLockGuard guard(table_lock);
  return TRY(FindTimer(id))->info.timer.overrun;
}

}  // namespace nsgx::libos
