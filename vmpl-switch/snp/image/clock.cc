// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/clock.h"

#include "vmpl-switch/snp/cpu/instructions_raw.h"

namespace nsgx::snp {
namespace {

// Frequency leaf that hypervisors share: eax = kHz of the TSC.
constexpr uint32_t kTimingLeaf = 0x40000010;

// The PC's interval timer: its third channel counts down while its gate is open.
constexpr uint16_t kTimerData = 0x42;
constexpr uint16_t kTimerControl = 0x43;
constexpr uint16_t kGatePort = 0x61;
constexpr uint8_t kOneShot = 0xb0;  // channel 2, both bytes, mode 0
constexpr uint8_t kLatch = 0x80;    // channel 2
constexpr uint8_t kGate = 1 << 0;
constexpr uint8_t kSpeaker = 1 << 1;
constexpr uint64_t kTimerHz = 1193182;
constexpr uint16_t kWantedTicks = kTimerHz / 40;
// A host whose timer never counts must not keep us.
constexpr int kMaxReadings = 100000;

constexpr uint64_t kMinKhz = 100'000;
constexpr uint64_t kMaxKhz = 10'000'000;
constexpr int kMaxMeasurements = 20;
constexpr uint64_t kAgreement = 64;  // the part of itself by which two that agree may differ

// The timer's count, and the TSC in the middle of the exit that latched it.
struct Reading {
  uint64_t tsc;
  uint64_t uncertainty;
  uint16_t count;
};

Result<Reading> ReadTimer(Ghcb& ghcb) {
  const uint64_t before = ReadTsc();
  TRY(ghcb.WritePort8(kTimerControl, kLatch));
  const uint64_t after = ReadTsc();
  const uint8_t low = TRY(ghcb.ReadPort8(kTimerData));
  const uint8_t high = TRY(ghcb.ReadPort8(kTimerData));
  return Reading{before + (after - before) / 2, after - before,
                 static_cast<uint16_t>(high << 8 | low)};
}

// The host may have done something else during an exit: the shortest of a few is the best.
Result<Reading> ReadTimerWell(Ghcb& ghcb) {
  Reading best = TRY(ReadTimer(ghcb));
  for (int i = 0; i < 15; ++i) {
    const Reading next = TRY(ReadTimer(ghcb));
    if (next.uncertainty < best.uncertainty) {
      best = next;
    }
  }
  return best;
}

Result<uint64_t> MeasureKhz(Ghcb& ghcb) {
  const uint8_t gate = TRY(ghcb.ReadPort8(kGatePort));
  TRY(ghcb.WritePort8(kGatePort, static_cast<uint8_t>((gate & ~kSpeaker) | kGate)));
  TRY(ghcb.WritePort8(kTimerControl, kOneShot));
  TRY(ghcb.WritePort8(kTimerData, 0xff));
  TRY(ghcb.WritePort8(kTimerData, 0xff));
  const Reading first = TRY(ReadTimerWell(ghcb));
  for (int i = 0; i < kMaxReadings; ++i) {
    if (static_cast<uint16_t>(first.count - TRY(ReadTimer(ghcb)).count) >= kWantedTicks) {
      const Reading now = TRY(ReadTimerWell(ghcb));
      const uint16_t ticks = static_cast<uint16_t>(first.count - now.count);
      TRY(ghcb.WritePort8(kGatePort, gate));
      return (now.tsc - first.tsc) * kTimerHz / ticks / 1000;
    }
  }
  return Error(Status::kTimedOut);
}

bool IsPlausible(uint64_t khz) { return khz >= kMinKhz && khz <= kMaxKhz; }

// A host that was busy with something else while the timer wrapped has us measure nonsense. Two
// measurements that agree are believed; if none do, the last that could be: a wrong clock serves
// enclaves better than none.
Result<uint64_t> MeasureKhzTwice(Ghcb& ghcb) {
  uint64_t before = 0;
  uint64_t plausible = 0;
  for (int i = 0; i < kMaxMeasurements; ++i) {
    const uint64_t now = TRY(MeasureKhz(ghcb));
    const uint64_t difference = now > before ? now - before : before - now;
    if (IsPlausible(now) && difference <= now / kAgreement) {
      return now;
    }
    before = now;
    plausible = IsPlausible(now) ? now : plausible;
  }
  return plausible;
}

}  // namespace

void ProcessorClock::Start(Ghcb& ghcb, const CpuidTable& cpuid) {
  start_ = ReadTsc();
  uint64_t khz = cpuid.Find(kTimingLeaf, 0).eax;
  if (khz == 0) {
    khz = MeasureKhzTwice(ghcb).value_or(uint64_t{0});
  }
  if (IsPlausible(khz)) {
    khz_ = khz;
    multiplier_ = (uint64_t{1'000'000} << 32) / khz;
  }
}

nsgx_clock ProcessorClock::Conversion() const {
  const uint64_t now = ReadTsc();
  const unsigned __int128 elapsed =
      static_cast<unsigned __int128>(now - start_) * multiplier_ >> 32;
  return {now, static_cast<uint64_t>(elapsed), multiplier_};
}

}  // namespace nsgx::snp
