// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/clock.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/syscalls.h"

namespace nsgx::libos {
namespace {

constexpr int32_t kAbsolute = 1;  // TIMER_ABSTIME

Result<void, Errno> CopyCpuTicks(Thread& thread, void* context) {
  *static_cast<uint64_t*>(context) =
      &thread == &CurrentThread() ? CurrentCpuTicks() : thread.cpu_ticks;
  return {};
}

// Clocks of processes and threads have negative numbers: ~id << 3 | 4 for a thread | which.
Result<uint64_t, Errno> ReadCpuClock(int32_t clock) {
  constexpr int32_t kPerThread = 4;
  const int32_t id = ~(clock >> 3);
  uint64_t ticks = 0;
  if ((clock & kPerThread) != 0) {
    if (id == 0) {
      ticks = CurrentCpuTicks();
    } else if (!WithThread(id, &CopyCpuTicks, &ticks).ok()) {
      return Error(Errno::kEINVAL);
    }
  } else if (id == 0 || id == kProcessId) {
    ticks = ProcessCpuTicks();
  } else {
    return Error(Errno::kEINVAL);
  }
  return TicksToNanoseconds(ticks);
}

Result<uint64_t, Errno> ReadClock(int32_t clock) {
  if (clock == kClockMonotonic) {
    return MonotonicNow();
  }
  if (IsWallClock(clock)) {
    return WallClockNow();
  }
  if (IsMonotonicClock(clock)) {
    return MonotonicNow();
  }
  if (clock == kClockProcessCpu) {
    return TicksToNanoseconds(ProcessCpuTicks());
  }
  if (clock == kClockThreadCpu) {
    return TicksToNanoseconds(CurrentCpuTicks());
  }
  if (clock < 0) {
    return ReadCpuClock(clock);
  }
  return Error(Errno::kEINVAL);
}

// Sleeps until `deadline`; EINTR when a signal comes before.
Result<void, Errno> SleepUntil(Deadline deadline) {
  BeginSleep(true);
  if (Sleep(deadline) == WakeReason::kSignal) {
    return Error(Errno::kEINTR);
  }
  return {};
}

SysResult SleepFor(const KernelTimespec& time, UserOut<KernelTimespec> rest) {
  const Deadline deadline = DeadlineAfter(TRY(FromTimespec(time)));
  auto slept = SleepUntil(deadline);
  if (slept.ok()) {
    return 0;
  }
  if (!rest.is_null()) {
    const uint64_t now = MonotonicNow();
    TRY(Write(rest, ToTimespec(deadline > now ? deadline - now : 0)));
  }
  return Error(slept.error());
}

}  // namespace

SysResult SysClockGettime(int32_t clock, UserOut<KernelTimespec> time) {
  TRY(Write(time, ToTimespec(TRY(ReadClock(clock)))));
  return 0;
}

SysResult SysClockGetres(int32_t clock, UserOut<KernelTimespec> resolution) {
  static_cast<void>(TRY(ReadClock(clock)));
  if (!resolution.is_null()) {
    TRY(Write(resolution, KernelTimespec{.seconds = 0, .nanoseconds = 1}));
  }
  return 0;
}

SysResult SysClockNanosleep(int32_t clock, int32_t flags, UserIn<KernelTimespec> time,
                            UserOut<KernelTimespec> rest) {
  if (!IsWallClock(clock) && !IsMonotonicClock(clock)) {
    return Error(clock == kClockProcessCpu ? Errno::kEOPNOTSUPP : Errno::kEINVAL);
  }
  const KernelTimespec wanted = TRY(Read(time));
  if ((flags & kAbsolute) == 0) {
    return SleepFor(wanted, rest);
  }
  const uint64_t target = TRY(FromTimespec(wanted));
  if (IsMonotonicClock(clock)) {
    TRY(SleepUntil(target));
    return 0;
  }
  // The wall clock may be set while the thread sleeps; it looks again each time.
  constexpr uint64_t kLookAgain = 60 * kNanosecondsPerSecond;
  while (true) {
    const uint64_t now = WallClockNow();
    if (now >= target) {
      return 0;
    }
    const uint64_t left = target - now;
    TRY(SleepUntil(DeadlineAfter(left < kLookAgain ? left : kLookAgain)));
  }
}

SysResult SysNanosleep(UserIn<KernelTimespec> time, UserOut<KernelTimespec> rest) {
  return SleepFor(TRY(Read(time)), rest);
}

SysResult SysGettimeofday(UserOut<KernelTimeval> time, UserOut<int32_t> zone) {
  if (!time.is_null()) {
    TRY(Write(time, ToTimeval(WallClockNow())));
  }
  if (!zone.is_null()) {
    TRY(Write(zone, 0, 0));
    TRY(Write(zone, 0, 1));
  }
  return 0;
}

SysResult SysTime(UserOut<int64_t> seconds) {
  const int64_t now = static_cast<int64_t>(WallClockNow() / kNanosecondsPerSecond);
  if (!seconds.is_null()) {
    TRY(Write(seconds, now));
  }
  return now;
}

// All time in the enclave is user time: the library OS is part of the program.
SysResult SysTimes(UserOut<int64_t> times) {
  constexpr uint64_t kClockTick = kNanosecondsPerSecond / 100;
  if (!times.is_null()) {
    const int64_t values[4] = {
        static_cast<int64_t>(TicksToNanoseconds(ProcessCpuTicks()) / kClockTick), 0, 0, 0};
    TRY(CopyToUser(times.address(), std::as_bytes(std::span(values))));
  }
  return static_cast<int64_t>(MonotonicNow() / kClockTick);
}

SysResult SysGetrusage(int32_t who, UserOut<int64_t> usage) {
  enum : int32_t { kSelf = 0, kChildren = -1, kThread = 1 };
  if (who != kSelf && who != kChildren && who != kThread) {
    return Error(Errno::kEINVAL);
  }
  const uint64_t ticks = who == kSelf ? ProcessCpuTicks() : who == kThread ? CurrentCpuTicks() : 0;
  const KernelTimeval user = ToTimeval(TicksToNanoseconds(ticks));
  // struct rusage: two times and fourteen counters, of which none means anything here.
  int64_t values[18] = {};
  values[0] = user.seconds;
  values[1] = user.microseconds;
  TRY(CopyToUser(usage.address(), std::as_bytes(std::span(values))));
  return 0;
}

}  // namespace nsgx::libos
