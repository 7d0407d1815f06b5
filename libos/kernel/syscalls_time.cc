// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/clock.h"
#include "libos/kernel/cpu_clock.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/syscalls.h"
#include "libos/mm/address_space.h"

namespace nsgx::libos {
namespace {

constexpr int32_t kAbsolute = 1;  // TIMER_ABSTIME

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
  return ReadCpuClock(clock);
}

// Sleeps until `deadline`; EINTR when a signal comes before. One that another thread takes, or that
// nobody wants any more, does not count.
Result<void, Errno> SleepUntil(Deadline deadline) {
  Thread& self = CurrentThread();
  while (true) {
    BeginSleep(true);
    if (Sleep(deadline) != WakeReason::kSignal) {
      return {};
    }
    if (self.cancel_interrupt || HasInterruptingSignal(self)) {
      return Error(Errno::kEINTR);
    }
  }
}

// Sleeps until the clock of processor time shows `target`, or EINTR.
Result<void, Errno> SleepUntilCpuTime(int32_t clock, uint64_t target) {
  CpuClockWatch watch;
  while (true) {
    const uint64_t now = TRY(ReadCpuClock(clock));
    if (now >= target) {
      return {};
    }
    TRY(SleepUntil(watch.NextLook(now, target - now)));
  }
}

SysResult SleepOnCpuClock(int32_t clock, bool is_absolute, uint64_t time,
                          UserOut<KernelTimespec> rest) {
  if (ResolveCpuClock(clock) != clock) {
    return Error(Errno::kEINVAL);  // the caller's own stands still while it sleeps
  }
  const uint64_t now = TRY(ReadCpuClock(clock));
  uint64_t target = time;
  if (!is_absolute && __builtin_add_overflow(now, time, &target)) {
    target = ~uint64_t{0};
  }
  auto slept = SleepUntilCpuTime(clock, target);
  if (!slept.ok() && !is_absolute && !rest.is_null()) {
    const uint64_t then = TRY(ReadCpuClock(clock));
    TRY(Write(rest, ToTimespec(target > then ? target - then : 0)));
  }
  TRY(std::move(slept));
  return 0;
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
  // Linux has these clocks, but nobody sleeps by them.
  if (clock == kClockMonotonicRaw || clock == kClockRealtimeCoarse ||
      clock == kClockMonotonicCoarse) {
    return Error(Errno::kEOPNOTSUPP);
  }
  const bool is_cpu_clock = IsCpuClock(clock);
  if (!IsWallClock(clock) && !IsMonotonicClock(clock) && !is_cpu_clock) {
    return Error(Errno::kEINVAL);
  }
  const KernelTimespec wanted = TRY(Read(time));
  if (is_cpu_clock) {
    return SleepOnCpuClock(clock, (flags & kAbsolute) != 0, TRY(FromTimespec(wanted)), rest);
  }
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
  // struct rusage: user and system time, largest memory, three more of memory, faults, swaps, reads
  // and writes of blocks, messages, signals, switches. What the library OS does not count is 0.
  int64_t values[18] = {};
  values[0] = user.seconds;
  values[1] = user.microseconds;
  if (who == kSelf) {
    const SchedulingCounts counts = CountScheduling();
    values[4] = static_cast<int64_t>(Memory().peak_committed_bytes() >> 10);
    values[16] = static_cast<int64_t>(counts.switches - counts.preemptions);
    values[17] = static_cast<int64_t>(counts.preemptions);
  }
  TRY(CopyToUser(usage.address(), std::as_bytes(std::span(values))));
  return 0;
}

// struct timex: the clock is the host's, and nobody here steers it.
SysResult SysAdjtimex(UserOut<std::byte> state) { return SysClockAdjtime(kClockRealtime, state); }

SysResult SysClockAdjtime(int32_t clock, UserOut<std::byte> state) {
  struct Timex {
    uint32_t modes, padding0;
    int64_t offset, frequency, largest_error, estimated_error;
    int32_t status, padding1;
    int64_t constant, precision, tolerance;
    KernelTimeval time;
    int64_t tick;
    int64_t pulse[8];  // a source of pulses per second
    int32_t tai_offset;
    int32_t reserved[11];
  };
  static_assert(sizeof(Timex) == 208);
  constexpr int32_t kUnsynchronized = 0x40, kTimeError = 5;
  if (!IsWallClock(clock)) {
    return Error(IsMonotonicClock(clock) ? Errno::kEOPNOTSUPP : Errno::kEINVAL);
  }
  if (TRY(Read(UserIn<uint32_t>(state.address()))) != 0) {
    return Error(Errno::kEPERM);
  }
  Timex answer = {};
  answer.largest_error = answer.estimated_error = 16'000'000;
  answer.status = kUnsynchronized;
  answer.constant = 2;
  answer.precision = 1;
  answer.tolerance = 500 << 16;
  answer.time = ToTimeval(WallClockNow());
  answer.tick = 10'000;
  TRY(CopyToUser(state.address(), std::as_bytes(std::span(&answer, 1))));
  return kTimeError;
}

}  // namespace nsgx::libos
