// SPDX-License-Identifier: Apache-2.0
// Runs on another processor and uses a page that the first one takes away.
#include <cstdint>

#include "vmpl-switch/emulator/conformance/payload.h"

extern "C" {
void RacerMain(nsgx::conformance::Racer* racer);
// entry.S
bool RaceRead(uint64_t address);
bool RaceWrite(uint64_t address);
}

namespace nsgx::conformance {

constinit volatile Race g_race = {};

namespace {

constexpr int kRest = 500;

}  // namespace

}  // namespace nsgx::conformance

void RacerMain(nsgx::conformance::Racer* racer) {
  using namespace nsgx::conformance;
  for (;;) {
    const RacerJob job = racer->job;
    if (job == RacerJob::kRest) {
      asm volatile("pause");
      continue;
    }
    if (job == RacerJob::kHold) {
      const uint64_t answer = MsrProtocol(GHCB_MSR_AP_RESET_HOLD_REQUEST);
      racer->job = RacerJob::kRest;
      if (GHCB_MSR_CODE(answer) == GHCB_MSR_AP_RESET_HOLD_RESPONSE && answer >> 12 != 0) {
        racer->held = racer->held + 1;
      }
      continue;
    }
    const uint64_t epoch = g_race.epoch;
    const bool has_reached =
        job == RacerJob::kWrite ? RaceWrite(g_race.address) : RaceRead(g_race.address);
    // It was gone before the access began, and is gone still.
    if (has_reached && epoch % 2 == 1 && g_race.epoch == epoch) {
      racer->too_late = racer->too_late + 1;
    }
    if (has_reached) {
      racer->reached = racer->reached + 1;
    } else {
      racer->denied = racer->denied + 1;
      // Others want the monitor, too.
      for (int i = 0; i < kRest && g_race.epoch == epoch; ++i) {
        asm volatile("pause");
      }
    }
  }
}
