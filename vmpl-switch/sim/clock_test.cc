// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/clock.h"

#include <gtest/gtest.h>

namespace nsgx::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// A machine whose counter makes `khz` ticks a millisecond; readings of both clocks are `noise`
// ticks apart.
class Machine {
 public:
  explicit Machine(uint64_t khz, uint64_t noise = 100) : khz_(khz), noise_(noise) {}

  ClockSample At(uint64_t ns) const {
    return {
        .tsc = 5'000'000 + ns / 1000 * khz_ / 1000, .ns = 77 * kSecond + ns, .uncertainty = noise_};
  }

 private:
  uint64_t khz_;
  uint64_t noise_;
};

TEST(Clock, HasNoRateBeforeAMeasurementCanBeGood) {
  const Machine machine(2'000'000);
  Clock clock;
  clock.Start(machine.At(0), 0);
  EXPECT_EQ(clock.At(machine.At(10'000)).multiplier, 0u);
  EXPECT_EQ(clock.tsc_khz(), 0u);
  EXPECT_NE(clock.At(machine.At(100'000)).multiplier, 0u);
}

TEST(Clock, MeasuresTheRate) {
  const Machine machine(2'600'000);
  Clock clock;
  clock.Start(machine.At(0), 0);
  const nsgx_clock first = clock.At(machine.At(1'000'000));
  EXPECT_NEAR(static_cast<double>(first.ns_base), 77e9 + 1e6, 200);
  const nsgx_clock later = clock.At(machine.At(kSecond));
  EXPECT_NEAR(static_cast<double>(later.ns_base), 77e9 + 1e9, 2e5);
  EXPECT_NEAR(static_cast<double>(clock.tsc_khz()), 2.6e6, 10);
}

TEST(Clock, BelievesTheProcessorIfTheMeasurementAgrees) {
  const Machine machine(2'600'000, 5000);
  Clock clock;
  clock.Start(machine.At(0), 2'600'000);
  clock.At(machine.At(200'000));
  EXPECT_NEAR(static_cast<double>(clock.tsc_khz()), 2.6e6, 1);
}

TEST(Clock, DoesNotBelieveTheProcessorOtherwise) {
  const Machine machine(2'600'000);
  Clock clock;
  clock.Start(machine.At(0), 2'000'000);
  clock.At(machine.At(1'000'000));
  EXPECT_NEAR(static_cast<double>(clock.tsc_khz()), 2.6e6, 2000);
}

// Readers hold conversions of different ages; changing to a newer one must never lose time.
TEST(Clock, NewerConversionsAreNeverBehindOlderOnes) {
  const Machine machine(3'000'000, 3000);
  Clock clock;
  clock.Start(machine.At(0), 0);
  nsgx_clock older = clock.At(machine.At(100'000));
  for (uint64_t ns = 100'000; ns < 30 * kSecond; ns = ns * 3 / 2) {
    const ClockSample now = machine.At(ns);
    const nsgx_clock newer = clock.At(now);
    EXPECT_GE(newer.multiplier, older.multiplier);
    for (const uint64_t ahead : {uint64_t{0}, uint64_t{1'000'000}, uint64_t{4'000'000'000}}) {
      EXPECT_GE(ToNanoseconds(newer, now.tsc + ahead) + 1, ToNanoseconds(older, now.tsc + ahead))
          << ns;
    }
    older = newer;
  }
  EXPECT_NEAR(static_cast<double>(clock.tsc_khz()), 3e6, 1);
}

TEST(Clock, GoesOnBetweenMeasurements) {
  const Machine machine(2'000'000);
  Clock clock;
  clock.Start(machine.At(0), 0);
  EXPECT_TRUE(clock.WantsMeasurement(machine.At(1'000'000).tsc));
  const nsgx_clock measured = clock.At(machine.At(1'000'000));
  const uint64_t later = machine.At(3'000'000).tsc;
  EXPECT_FALSE(clock.WantsMeasurement(later));
  const nsgx_clock now = clock.At(later);
  EXPECT_EQ(now.ns_base, ToNanoseconds(measured, later));
  EXPECT_EQ(now.multiplier, measured.multiplier);
  EXPECT_TRUE(clock.WantsMeasurement(machine.At(11'000'000).tsc));
  EXPECT_FALSE(clock.WantsMeasurement(machine.At(60 * kSecond).tsc)) << "good enough by then";
}

TEST(Clock, LateSampleOfAnotherThreadDoesNotTurnItBack) {
  const Machine machine(2'000'000);
  Clock clock;
  clock.Start(machine.At(0), 0);
  const nsgx_clock late = clock.At(machine.At(2'000'000));
  const nsgx_clock early = clock.At(machine.At(1'000'000));
  EXPECT_EQ(early.tsc_base, late.tsc_base);
  EXPECT_EQ(early.ns_base, late.ns_base);
}

TEST(ProcessClock, Goes) {
  StartProcessClock(0);
  const uint64_t first = ProcessNow();
  const uint64_t second = ProcessNow();
  EXPECT_GT(first, 0u);
  EXPECT_GE(second, first);
  EXPECT_GT(ProcessTscKhz(), 100'000u);
}

}  // namespace
}  // namespace nsgx::sim
