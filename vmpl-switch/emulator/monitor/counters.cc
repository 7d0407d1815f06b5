// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/counters.h"

namespace nsgx::emu {

void LogCounters(const Counters& counters) {
  struct Item {
    std::string_view name;
    uint64_t value;
  };
  const Item items[] = {
      {"exits", counters.exits},
      {"switches", counters.switches},
      {"interrupts", counters.interrupts},
      {"doorbells", counters.doorbells},
      {"vc.cpuid", counters.reflected_cpuid},
      {"vc.io", counters.reflected_io},
      {"vc.msr", counters.reflected_msr},
      {"vc.other", counters.reflected_other},
      {"ports", counters.ports},
      {"msr", counters.served_msr},
      {"pvalidate", counters.pvalidate},
      {"rmpadjust", counters.rmpadjust},
      {"rmpquery", counters.rmpquery},
      {"npf", counters.nested_faults},
      {"denied", counters.denied},
      {"ghcb.msr", counters.msr_requests},
      {"ghcb.page", counters.page_requests},
      {"page-states", counters.page_state_changes},
      {"messages", counters.guest_messages},
      {"invlpgb", counters.broadcasts},
      {"interruptions", counters.interruptions},
      {"interruptions-again", counters.interruptions_again},
  };
  for (const Item& item : items) {
    LOG(kInfo, "count ", item.name, " ", item.value);
  }
}

}  // namespace nsgx::emu
