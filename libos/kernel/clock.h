// SPDX-License-Identifier: Apache-2.0
// Time. Monotonic time comes from the TSC, by a rate that the SEH tells; it needs no exit and never
// goes back. Wall time is the untrusted host's claim, fetched rarely and carried on by the
// monotonic clock.
#pragma once

#include <cstdint>

#include "libos/kernel/wait.h"

namespace nsgx::libos {

inline uint64_t ReadTsc() { return __builtin_ia32_rdtsc(); }

// Learns the clock's rate; before the first use of anything else here. False: the machine has no
// clock.
bool InitClock(uint64_t tsc_khz);

uint64_t TicksToNanoseconds(uint64_t ticks);
uint64_t NanosecondsToTicks(uint64_t nanoseconds);

// Nanoseconds since 1970, as the host claims. Does a host call once in a while.
uint64_t WallClockNow();

// The deadline `nanoseconds` from now; kForever when that is beyond all time.
Deadline DeadlineAfter(uint64_t nanoseconds);

// The deadline at which wall time, as the host claims it, is that many nanoseconds.
Deadline DeadlineAtWallTime(uint64_t nanoseconds);

inline constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

}  // namespace nsgx::libos
