// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/clock.h"

#include <time.h>

#include <algorithm>

namespace nsgx::sim {
namespace {

__extension__ using uint128 = unsigned __int128;

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr uint64_t kNoMoreMeasurements = 20 * kNanosecondsPerSecond;
// A first measurement over less than this would be off by more than a thousandth.
constexpr uint64_t kFirstMeasurement = 50'000;
// What a processor says must agree with the measurement to one part in this many.
constexpr uint64_t kAgreement = 1000;

ClockSample TakeSample() {
  ClockSample best = {.tsc = 0, .ns = 0, .uncertainty = ~uint64_t{0}};
  for (int i = 0; i < 3; ++i) {
    const uint64_t before = ReadTsc();
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t gap = ReadTsc() - before;
    if (gap < best.uncertainty) {
      best = {.tsc = before + gap / 2,
              .ns = static_cast<uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
                    static_cast<uint64_t>(now.tv_nsec),
              .uncertainty = gap};
    }
  }
  return best;
}

uint64_t Multiplier(uint64_t ns, uint64_t ticks) {
  return static_cast<uint64_t>((uint128{ns} << 32) / ticks);
}

constinit Clock g_clock;

}  // namespace

uint64_t ToNanoseconds(const nsgx_clock& clock, uint64_t tsc) {
  return clock.ns_base +
         static_cast<uint64_t>(uint128{tsc - clock.tsc_base} * clock.multiplier >> 32);
}

void Clock::Start(const ClockSample& first, uint64_t tsc_khz) {
  const SpinLockGuard guard(lock_);
  first_ = first;
  clock_ = {.tsc_base = first.tsc, .ns_base = first.ns, .multiplier = 0};
  stated_khz_ = tsc_khz;
  next_measurement_ = kFirstMeasurement;
}

bool Clock::WantsMeasurement(uint64_t tsc) const {
  const SpinLockGuard guard(lock_);
  if (clock_.multiplier == 0) {
    return true;
  }
  const uint64_t time = tsc < clock_.tsc_base ? clock_.ns_base : ToNanoseconds(clock_, tsc);
  const uint64_t ns = time - first_.ns;
  return ns >= next_measurement_ && ns < kNoMoreMeasurements;
}

nsgx_clock Clock::At(uint64_t tsc) {
  const SpinLockGuard guard(lock_);
  ContinueAt(tsc);
  return clock_;
}

// Two threads may bring their readings in the other order.
void Clock::ContinueAt(uint64_t tsc) {
  if (tsc > clock_.tsc_base) {
    clock_.ns_base = ToNanoseconds(clock_, tsc);
    clock_.tsc_base = tsc;
  }
}

nsgx_clock Clock::At(const ClockSample& now) {
  const SpinLockGuard guard(lock_);
  const uint64_t ticks = now.tsc - first_.tsc;
  const uint64_t ns = now.ns - first_.ns;
  if (now.tsc > first_.tsc && now.ns > first_.ns && ns >= next_measurement_) {
    const uint64_t uncertainty = std::min(first_.uncertainty + now.uncertainty, ticks);
    const uint64_t low = Multiplier(ns, ticks + uncertainty);
    if (clock_.multiplier == 0) {
      const uint64_t stated = stated_khz_ == 0 ? 0 : Multiplier(1'000'000, stated_khz_);
      const uint64_t high = Multiplier(ns, ticks - uncertainty / 2);
      const bool agrees = stated > low - low / kAgreement && stated < high + high / kAgreement;
      clock_.multiplier = agrees ? stated : low;
      ContinueAt(now.tsc);
    } else {
      // First on with the old rate, so that nobody sees a step.
      ContinueAt(now.tsc);
      clock_.multiplier = std::max(clock_.multiplier, low);
    }
    next_measurement_ = 10 * ns;
  } else {
    ContinueAt(now.tsc);
  }
  return clock_;
}

uint64_t Clock::tsc_khz() const {
  const SpinLockGuard guard(lock_);
  return clock_.multiplier == 0
             ? 0
             : static_cast<uint64_t>((uint128{1'000'000} << 32) / clock_.multiplier);
}

void StartProcessClock(uint64_t stated_tsc_khz) { g_clock.Start(TakeSample(), stated_tsc_khz); }

nsgx_clock ProcessClock() {
  const uint64_t tsc = ReadTsc();
  if (!g_clock.WantsMeasurement(tsc)) {
    return g_clock.At(tsc);
  }
  nsgx_clock clock;
  do {
    clock = g_clock.At(TakeSample());
  } while (clock.multiplier == 0);
  return clock;
}

uint64_t ProcessNow() { return ProcessClock().ns_base; }

uint64_t ToNanoseconds(uint64_t ticks) {
  return static_cast<uint64_t>(uint128{ticks} * ProcessClock().multiplier >> 32);
}

uint64_t ProcessTscKhz() { return g_clock.tsc_khz(); }

}  // namespace nsgx::sim
