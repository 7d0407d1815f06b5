// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/nested_tables.h"
#include "vmpl-switch/emulator/monitor/rmp.h"

namespace nsgx::emu {

// What the paranoid build does besides: before each entry it compares a stretch of the nested
// tables with the RMP, and now and then it makes the tables forget a page, so that faults come
// where they never come otherwise. In the ordinary build it does nothing.
class Paranoia {
 public:
  // `processors`: with several, tables forget less often, as each time all others are interrupted.
  constexpr Paranoia(bool is_on, unsigned processors)
      : is_on_(is_on), entries_per_forgetting_(processors == 1 ? 1 : 64) {}

  // Returns false when tables and RMP disagree.
  bool BeforeEntry(NestedTables& tables, const Rmp& rmp, unsigned vmpl);

  bool is_on() const { return is_on_; }
  uint64_t checked() const { return checked_; }
  uint64_t forgotten() const { return forgotten_; }

 private:
  uint64_t NextRandom();

  bool is_on_;
  uint64_t entries_per_forgetting_;
  Page next_page_ = 0;
  uint64_t entries_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15;
  uint64_t checked_ = 0;
  uint64_t forgotten_ = 0;
};

}  // namespace nsgx::emu
