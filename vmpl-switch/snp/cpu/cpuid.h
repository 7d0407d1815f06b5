// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {

struct CpuidAnswer {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
};

// The processor's features as the firmware has checked them at launch: the CPUID page. The only
// place from which anybody at VMPL0 learns them; the host is never asked.
class CpuidTable {
 public:
  constexpr CpuidTable() = default;

  // Requires: the page is private memory of the SEH and lives longer.
  void Initialize(const snp_cpuid_page& page) { page_ = &page; }

  // Returns what CPUID says; zeros for a leaf that is not there, as the processor does for one
  // within the range.
  CpuidAnswer Find(uint32_t leaf, uint32_t subleaf) const;

 private:
  const snp_cpuid_page* page_ = nullptr;
};

}  // namespace nsgx::snp
