// SPDX-License-Identifier: Apache-2.0
// Times as the Linux ABI lays them out, and their conversion.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

struct KernelTimespec {
  int64_t seconds;
  int64_t nanoseconds;
};
struct KernelTimeval {
  int64_t seconds;
  int64_t microseconds;
};

constexpr KernelTimespec ToTimespec(uint64_t nanoseconds) {
  return {.seconds = static_cast<int64_t>(nanoseconds / kNanosecondsPerSecond),
          .nanoseconds = static_cast<int64_t>(nanoseconds % kNanosecondsPerSecond)};
}
constexpr KernelTimeval ToTimeval(uint64_t nanoseconds) {
  return {.seconds = static_cast<int64_t>(nanoseconds / kNanosecondsPerSecond),
          .microseconds = static_cast<int64_t>(nanoseconds % kNanosecondsPerSecond / 1000)};
}

// Nanoseconds; kForever when they are more than fit. EINVAL: negative, or a fraction of a second or
// more.
constexpr Result<uint64_t, Errno> FromTimespec(const KernelTimespec& time) {
  if (time.seconds < 0 || time.nanoseconds < 0 ||
      static_cast<uint64_t>(time.nanoseconds) >= kNanosecondsPerSecond) {
    return Error(Errno::kEINVAL);
  }
  uint64_t result;
  if (__builtin_mul_overflow(static_cast<uint64_t>(time.seconds), kNanosecondsPerSecond, &result) ||
      __builtin_add_overflow(result, static_cast<uint64_t>(time.nanoseconds), &result)) {
    return kForever;
  }
  return result;
}

// Numbers of clocks.
enum : int32_t {
  kClockRealtime = 0,
  kClockMonotonic = 1,
  kClockProcessCpu = 2,
  kClockThreadCpu = 3,
  kClockMonotonicRaw = 4,
  kClockRealtimeCoarse = 5,
  kClockMonotonicCoarse = 6,
  kClockBoottime = 7,
  kClockRealtimeAlarm = 8,
  kClockBoottimeAlarm = 9,
  kClockTai = 11,
};
constexpr bool IsWallClock(int32_t clock) {
  return clock == kClockRealtime || clock == kClockRealtimeCoarse || clock == kClockRealtimeAlarm ||
         clock == kClockTai;
}
constexpr bool IsMonotonicClock(int32_t clock) {
  return clock == kClockMonotonic || clock == kClockMonotonicRaw ||
         clock == kClockMonotonicCoarse || clock == kClockBoottime || clock == kClockBoottimeAlarm;
}

}  // namespace nsgx::libos
