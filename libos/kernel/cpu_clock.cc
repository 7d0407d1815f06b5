// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/cpu_clock.h"

#include <algorithm>

#include "libos/kernel/clock.h"
#include "libos/kernel/linux_time.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"

namespace nsgx::libos {
namespace {

// Clocks of processes and threads have negative numbers: ~id << 3 | 4 for a thread | which.
constexpr int32_t kPerThread = 4;
constexpr int32_t kWhichMask = 3;
constexpr int32_t kFileClock = 3;
constexpr int32_t kScheduled = 2;

constexpr int32_t IdOf(int32_t clock) { return ~(clock >> 3); }

}  // namespace

bool IsCpuClock(int32_t clock) {
  return clock == kClockProcessCpu || clock == kClockThreadCpu ||
         (clock < 0 && (clock & kWhichMask) != kFileClock);
}

int32_t ResolveCpuClock(int32_t clock) {
  const bool is_own_thread =
      clock == kClockThreadCpu ||
      (clock < 0 && IsCpuClock(clock) && (clock & kPerThread) != 0 && IdOf(clock) == 0);
  return is_own_thread ? static_cast<int32_t>(~static_cast<uint32_t>(CurrentThread().tid) << 3) |
                             kPerThread | kScheduled
                       : clock;
}

Result<uint64_t, Errno> ReadCpuClock(int32_t clock) {
  clock = ResolveCpuClock(clock);
  if (!IsCpuClock(clock)) {
    return Error(Errno::kEINVAL);
  }
  if (clock >= 0 || (clock & kPerThread) == 0) {
    if (clock < 0 && IdOf(clock) != 0 && IdOf(clock) != kProcessId) {
      return Error(Errno::kEINVAL);
    }
    return TicksToNanoseconds(ProcessCpuTicks());
  }
  if (IdOf(clock) == CurrentThread().tid) {
    return TicksToNanoseconds(CurrentCpuTicks());
  }
  uint64_t ticks = 0;
  const auto read = [](Thread& thread, void* context) -> Result<void, Errno> {
    *static_cast<uint64_t*>(context) = CpuTicksOf(thread);
    return {};
  };
  if (!WithThread(IdOf(clock), read, &ticks).ok()) {
    return Error(Errno::kEINVAL);
  }
  return TicksToNanoseconds(ticks);
}

Deadline CpuClockWatch::NextLook(uint64_t time, uint64_t left) {
  // As Linux, which looks at its ticks; and ever more seldom at a clock that stands still.
  constexpr uint64_t kShortest = 1'000'000, kLongest = 64'000'000;
  const uint64_t soonest = left / std::max<uint64_t>(StartedCpus(), 1);
  const bool stands_still = pause_ != 0 && time == last_time_;
  pause_ = stands_still ? std::min(pause_ * 2, kLongest) : std::max(soonest, kShortest);
  last_time_ = time;
  return DeadlineAfter(std::max(pause_, soonest));
}

}  // namespace nsgx::libos
