// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/log.h"

namespace nsgx::emu {

// What happened how often. Counts are what an emulated machine can say about speed; its times mean
// nothing.
struct Counters {
  uint64_t exits = 0;
  uint64_t switches = 0;         // from one VMPL to another
  uint64_t interrupts = 0;       // that ended a run of VMPL0
  uint64_t doorbells = 0;        // #HV
  uint64_t reflected_cpuid = 0;  // #VC, by cause
  uint64_t reflected_io = 0;
  uint64_t reflected_msr = 0;
  uint64_t reflected_other = 0;
  uint64_t ports = 0;  // that a VMPL with devices may not reach by itself
  uint64_t served_msr = 0;
  uint64_t pvalidate = 0;
  uint64_t rmpadjust = 0;
  uint64_t rmpquery = 0;
  uint64_t nested_faults = 0;
  uint64_t denied = 0;         // accesses that a VMPL has no right to
  uint64_t msr_requests = 0;   // GHCB, MSR protocol
  uint64_t page_requests = 0;  // GHCB, page protocol
  uint64_t page_state_changes = 0;
  uint64_t guest_messages = 0;
  uint64_t broadcasts = 0;           // INVLPGB
  uint64_t interruptions = 0;        // of one processor's guest by another
  uint64_t interruptions_again = 0;  // because the first got lost, or the machine below was slow
};

void LogCounters(const Counters& counters);

}  // namespace nsgx::emu
