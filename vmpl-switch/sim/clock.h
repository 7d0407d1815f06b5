// SPDX-License-Identifier: Apache-2.0
// The machine's monotonic clock: nanoseconds computed from the processor's time-stamp counter, so
// that an enclave can do the same without leaving.
#pragma once

#include <cstdint>

#include "base/core/spinlock.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::sim {

// One reading of both clocks.
struct ClockSample {
  uint64_t tsc;
  uint64_t ns;           // of Linux' CLOCK_MONOTONIC
  uint64_t uncertainty;  // ticks that passed between the readings
};

// Begins at the time of its first sample, so that an enclave sees the machine's uptime as every
// other program does: programs subtract from the time, and must not get below zero. Counts at the
// rate of CLOCK_MONOTONIC as measured between the first sample and now. The rate is a lower bound
// of what has been measured, and is raised when a longer measurement says more, up to ten seconds.
// So whoever changes from an older nsgx_clock to a newer one never sees time go back.
//
// All functions but Start may be called from any thread, and in the SEH state.
class Clock {
 public:
  constexpr Clock() = default;

  // Begins to count. `tsc_khz` is what the processor says of itself, 0: nothing; it is believed if
  // the first measurement agrees.
  void Start(const ClockSample& first, uint64_t tsc_khz);

  // Returns whether At(tsc) should be given a whole sample: a better rate can be had.
  bool WantsMeasurement(uint64_t tsc) const;
  // Returns the conversion that is valid from now on. Its multiplier is 0 while too little time has
  // passed for a first measurement.
  nsgx_clock At(const ClockSample& now);
  nsgx_clock At(uint64_t tsc);
  uint64_t tsc_khz() const;

 private:
  void ContinueAt(uint64_t tsc) REQUIRES(lock_);

  mutable SpinLock lock_;
  ClockSample first_ GUARDED_BY(lock_) = {};
  nsgx_clock clock_ GUARDED_BY(lock_) = {};
  uint64_t stated_khz_ GUARDED_BY(lock_) = 0;
  uint64_t next_measurement_ GUARDED_BY(lock_) = 0;  // ns since the first sample
};

// Returns what `clock` converts `tsc` to. Requires: tsc is not before clock.tsc_base.
uint64_t ToNanoseconds(const nsgx_clock& clock, uint64_t tsc);

inline uint64_t ReadTsc() {
  uint32_t low;
  uint32_t high;
  asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
  return uint64_t{high} << 32 | low;
}

// The process' clock. Start it early: the longer it has run before the first use, the better its
// first rate. A first use that comes too early waits 50 us.
void StartProcessClock(uint64_t stated_tsc_khz);
nsgx_clock ProcessClock();
uint64_t ProcessNow();
// A difference of two counter readings.
uint64_t ToNanoseconds(uint64_t ticks);
uint64_t ProcessTscKhz();

}  // namespace nsgx::sim
