// SPDX-License-Identifier: Apache-2.0
// Timers of the program that send signals: alarm, setitimer, timer_create and their kin.
#include <new>

#include "base/core/spinlock.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/cpu_clock.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/timer_queue.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

enum : int32_t { kNotifySignal = 0, kNotifyNone = 1, kNotifyThread = 2, kNotifyThreadId = 4 };

// The program's part of a timer: who is sent what, when and how often. `period`, `due` and `watch`
// are the timer queue's while the timer is armed, and its lock protects them.
struct SignalTimer : Timer {
  SignalTimer() : Timer(&OnTime) {}
  static Deadline OnTime(Timer& timer, Deadline now);

  // Clocks of processor time cannot be waited for: the timer looks at them again and again.
  bool is_cpu_clock() const { return IsCpuClock(clock); }
  // What `due` is compared with. kForever: the clock's thread is gone.
  uint64_t Now() const {
    return is_cpu_clock() ? ReadCpuClock(clock).value_or(kForever) : MonotonicNow();
  }
  Deadline QueueDeadline(uint64_t now) {
    return !is_cpu_clock() || due == kForever ? due
                                              : watch.NextLook(now, due > now ? due - now : 0);
  }

  int32_t clock = kClockMonotonic;
  int32_t notify = kNotifySignal;
  int32_t target = 0;  // thread, for kNotifyThreadId
  SignalInfo info = {};
  uint64_t period = 0;
  uint64_t due = kForever;      // by the clock if it is one of processor time, else monotonic
  uint64_t kill_at = kForever;  // for the limit of processor time
  CpuClockWatch watch;
};

Result<void, Errno> SendFromTimer(Thread& thread, void* context) {
  return SendToThread(thread, *static_cast<const SignalInfo*>(context));
}

// Runs with the timer queue's lock held. A signal that cannot be queued is lost, as a thread is
// that has ended: there is nobody to tell.
Deadline SignalTimer::OnTime(Timer& timer, Deadline monotonic_now) {
  SignalTimer& self = static_cast<SignalTimer&>(timer);
  const uint64_t now = self.is_cpu_clock() ? self.Now() : monotonic_now;
  if (now == kForever) {
    return kForever;
  }
  if (now < self.due) {
    return self.QueueDeadline(now);
  }
  const uint64_t due = self.due;
  self.info.timer.overrun = 0;
  if (self.period != 0) {
    // What came while nobody looked counts as overrun.
    const uint64_t missed = (now - due) / self.period;
    self.info.timer.overrun = static_cast<int32_t>(missed < 0x7fffffff ? missed : 0x7fffffff);
    self.due = due + (missed + 1) * self.period;
  } else {
    self.due = kForever;
  }
  if (now >= self.kill_at) {
    self.info.signal = kSigKill;
  }
  if (self.notify == kNotifySignal) {
    static_cast<void>(SendToProcess(self.info).ok());
  } else if (self.notify == kNotifyThreadId) {
    static_cast<void>(WithThread(self.target, &SendFromTimer, &self.info).ok());
  }
  return self.QueueDeadline(now);
}

// How a timer was set, before it is set anew.
struct Setting {
  uint64_t left;
  uint64_t period;
};

// Requires: the timer is not in the queue.
Setting SettingOf(const SignalTimer& timer, uint64_t now) {
  return {.left = timer.due == kForever ? 0
                  : timer.due > now     ? timer.due - now
                                        : 1,
          .period = timer.period};
}

void PutIntoQueue(SignalTimer& timer, uint64_t now) {
  if (timer.due != kForever) {
    Timers().Arm(timer, timer.QueueDeadline(now));
    NoticeNewDeadline();
  }
}

Setting ReadTimer(SignalTimer& timer) {
  Timers().Disarm(timer);
  const uint64_t now = timer.Now();
  const Setting setting = SettingOf(timer, now);
  PutIntoQueue(timer, now);
  return setting;
}

// `time`: of the timer's clock if `is_absolute`, else from now; 0 stops it.
Setting SetTimer(SignalTimer& timer, uint64_t time, bool is_absolute, uint64_t period) {
  Timers().Disarm(timer);
  const uint64_t now = timer.Now();
  const Setting before = SettingOf(timer, now);
  timer.period = period;
  timer.due = time;
  if (time == 0 || (!is_absolute && __builtin_add_overflow(now, time, &timer.due))) {
    timer.due = kForever;
  }
  PutIntoQueue(timer, now);
  return before;
}

// ---- the timers that every process has -------------------------------------------------------

enum : int32_t { kIntervalReal = 0, kIntervalVirtual = 1, kIntervalProfile = 2 };
// Behind those of setitimer: the limit of processor time.
constexpr int32_t kCpuLimit = 3;
constexpr int32_t kProcessTimers = 4;

constinit SpinLock process_timers_lock;

SignalTimer& ProcessTimer(int32_t which) REQUIRES(process_timers_lock) {
  struct Facts {
    int32_t signal;
    int32_t clock;
  };
  static constexpr Facts kFacts[kProcessTimers] = {{kSigAlrm, kClockMonotonic},
                                                   {kSigVtalrm, kClockProcessCpu},
                                                   {kSigProf, kClockProcessCpu},
                                                   {kSigXcpu, kClockProcessCpu}};
  alignas(SignalTimer) static constinit char places[kProcessTimers][sizeof(SignalTimer)] = {};
  static constinit SignalTimer* timers[kProcessTimers] = {};
  if (timers[which] == nullptr) {
    timers[which] = ::new (static_cast<void*>(places[which])) SignalTimer();
    timers[which]->info.signal = kFacts[which].signal;
    timers[which]->info.code = kSiKernel;
    timers[which]->clock = kFacts[which].clock;
  }
  return *timers[which];
}

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
  if (which < kIntervalReal || which > kIntervalProfile) {
    return Error(Errno::kEINVAL);
  }
  Setting setting;
  {
    SpinLockGuard guard(process_timers_lock);
    setting = ReadTimer(ProcessTimer(which));
  }
  TRY(WriteSetting(value, setting));
  return 0;
}

SysResult SysSetitimer(int32_t which, UserIn<KernelTimeval> value, UserOut<KernelTimeval> old) {
  if (which < kIntervalReal || which > kIntervalProfile) {
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
    SpinLockGuard guard(process_timers_lock);
    before = SetTimer(ProcessTimer(which), first, false, period);
  }
  if (!old.is_null()) {
    TRY(WriteSetting(old, before));
  }
  return 0;
}

SysResult SysAlarm(uint32_t seconds) {
  SpinLockGuard guard(process_timers_lock);
  const Setting before =
      SetTimer(ProcessTimer(kIntervalReal), seconds * kNanosecondsPerSecond, false, 0);
  return static_cast<int64_t>((before.left + kNanosecondsPerSecond - 1) / kNanosecondsPerSecond);
}

void SetCpuLimit(uint64_t soft_seconds, uint64_t hard_seconds) {
  constexpr uint64_t kMost = uint64_t{1} << 33;  // in nanoseconds it still fits
  SpinLockGuard guard(process_timers_lock);
  SignalTimer& timer = ProcessTimer(kCpuLimit);
  // The hard limit alone counts when the soft one is above it or not there.
  const uint64_t first = soft_seconds < hard_seconds ? soft_seconds : hard_seconds;
  SetTimer(timer, 0, true, 0);
  timer.info.signal = kSigXcpu;
  timer.kill_at = hard_seconds < kMost ? hard_seconds * kNanosecondsPerSecond : kForever;
  if (first < kMost) {
    // Zero means one, as with Linux. After that a reminder each second.
    SetTimer(timer, (first == 0 ? 1 : first) * kNanosecondsPerSecond, true, kNanosecondsPerSecond);
  }
}

SysResult SysTimerCreate(int32_t clock, UserIn<std::byte> event, UserOut<int32_t> id) {
  if (clock == kClockMonotonicRaw || clock == kClockRealtimeCoarse ||
      clock == kClockMonotonicCoarse) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (IsCpuClock(clock)) {
    static_cast<void>(TRY(ReadCpuClock(clock)));
  } else if (!IsWallClock(clock) && !IsMonotonicClock(clock)) {
    return Error(Errno::kEINVAL);
  }
  SignalEvent wanted = {.value = 0, .signal = kSigAlrm, .notify = kNotifySignal, .thread = 0};
  if (!event.is_null()) {
    wanted = TRY(Read(UserIn<SignalEvent>(event.address())));
    if (wanted.notify == kNotifyThread) {
      wanted.notify = kNotifySignal;  // the C library makes the thread
    }
    if (wanted.notify != kNotifySignal && wanted.notify != kNotifyNone &&
        wanted.notify != kNotifyThreadId) {
      return Error(Errno::kEINVAL);
    }
    const auto exists = [](Thread&, void*) -> Result<void, Errno> { return {}; };
    if (wanted.notify == kNotifyThreadId && !WithThread(wanted.thread, exists, nullptr).ok()) {
      return Error(Errno::kEINVAL);
    }
    if (wanted.notify != kNotifyNone && (wanted.signal < 1 || wanted.signal > kSignalCount)) {
      return Error(Errno::kEINVAL);
    }
  }
  SignalTimer* timer = TRY(New<SignalTimer>());
  timer->clock = ResolveCpuClock(clock);
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
      OverrunOfTimer(number).store(0, std::memory_order_relaxed);
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
    OverrunOfTimer(id).store(0, std::memory_order_relaxed);
    const bool is_absolute = (flags & kAbsolute) != 0;
    if (is_absolute && first != 0 && IsWallClock(timer.clock)) {
      // Not 0, which would stop it.
      before = SetTimer(timer, first > wall_now ? first - wall_now : 1, false, period);
    } else {
      before = SetTimer(timer, first, is_absolute, period);
    }
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
  static_cast<void>(TRY(FindTimer(id)));
  return OverrunOfTimer(id).load(std::memory_order_relaxed);
}

}  // namespace nsgx::libos
