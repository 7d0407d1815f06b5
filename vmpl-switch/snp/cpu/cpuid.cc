// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/cpuid.h"

#include <algorithm>

#include "base/core/check.h"

namespace nsgx::snp {
namespace {

// Leaves whose answer does not depend on ecx, whatever ecx_in a host has put into the table.
bool HasSubleaves(uint32_t leaf) {
  switch (leaf) {
    case 0x4:
    case 0x7:
    case 0xb:
    case 0xd:
    case 0xf:
    case 0x10:
    case 0x12:
    case 0x14:
    case 0x17:
    case 0x18:
    case 0x8000001d:
    case 0x80000020:
      return true;
    default:
      return false;
  }
}

}  // namespace

CpuidAnswer CpuidTable::Find(uint32_t leaf, uint32_t subleaf) const {
  CHECK(page_ != nullptr);
  const uint32_t count = std::min(page_->count, SNP_CPUID_MAX_ENTRIES);
  for (uint32_t i = 0; i < count; ++i) {
    const snp_cpuid_entry& entry = page_->entries[i];
    if (entry.eax_in == leaf && (!HasSubleaves(leaf) || entry.ecx_in == subleaf)) {
      return {entry.eax, entry.ebx, entry.ecx, entry.edx};
    }
  }
  return {};
}

}  // namespace nsgx::snp
