// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/checks.h"

#include <cstddef>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
#include "vmpl-switch/snp/cpu/start_rules.h"
#include "vmpl-switch/snp/cpu/termination.h"
#include "vmpl-switch/snp/image/layout.h"
#include "vmpl-switch/snp/memory/rmp.h"

namespace nsgx::snp {
namespace {

static_assert(ENTRY_CPUID_ENTRIES == offsetof(snp_cpuid_page, entries) &&
              ENTRY_CPUID_ENTRY_SIZE == sizeof(snp_cpuid_entry) &&
              ENTRY_CPUID_MAX_ENTRIES == SNP_CPUID_MAX_ENTRIES &&
              ENTRY_CPUID_LEAF == SNP_CPUID_LEAF &&
              ENTRY_CPUID_EBX == offsetof(snp_cpuid_entry, ebx) && ENTRY_MSR_GHCB == SNP_MSR_GHCB);
static_assert(ENTRY_TERMINATE == (GHCB_MSR_TERMINATE | kTerminationSet << 12 |
                                  static_cast<uint64_t>(Termination::kNoEncryptionBit) << 16));

void Demand(const Result<void, Termination>& result) {
  if (!result.ok()) {
    Terminate(result.error());
  }
}

}  // namespace

void CheckFeatures() { Demand(CheckSevStatus(ReadMsr(SNP_MSR_SEV_STATUS))); }

void CheckVmpl() {
  // Only VMPL0 can take rights away from VMPL1; at VMPL1 the instruction refuses.
  const void* page = reinterpret_cast<const void*>(SEH_DIRECT_MAP + SEH_CPUID_PAGE);
  if (Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(kGuestVmpl, 0)) != SNP_OK) {
    Terminate(Termination::kNotVmpl0);
  }
}

void CheckHost() {
  Demand(CheckGhcbInfo(VmgExitWithMsr(GHCB_MSR_INFO_REQUEST)));
  Demand(CheckHostFeatures(VmgExitWithMsr(GHCB_MSR_FEATURES_REQUEST)));
}

}  // namespace nsgx::snp
