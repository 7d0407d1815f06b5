// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/checks.h"

#include <cstddef>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
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

constexpr uint64_t kRequired = SNP_STATUS_SEV | SNP_STATUS_SEV_ES | SNP_STATUS_SEV_SNP;
// What may be on as well: it takes nothing away from the SEH. Debug-register swap, no host IBS, BTB
// isolation, secure TSC, SMT protection.
constexpr uint64_t kAllowed = kRequired | SNP_STATUS_RESTRICTED_INJECTION | SNP_STATUS_DEBUG_SWAP |
                              1 << 8 | 1 << 9 | SNP_STATUS_SECURE_TSC | 1 << 17;

constexpr uint64_t kHostFeatures = GHCB_FEATURE_SNP | GHCB_FEATURE_AP_CREATION |
                                   GHCB_FEATURE_RESTRICTED_INJECTION | GHCB_FEATURE_MULTI_VMPL;

}  // namespace

void CheckFeatures() {
  const uint64_t status = ReadMsr(SNP_MSR_SEV_STATUS);
  if ((status & kRequired) != kRequired) {
    Terminate(Termination::kNotSnp);
  }
  // Without it a host could make us take any exception at any instruction.
  if ((status & SNP_STATUS_RESTRICTED_INJECTION) == 0) {
    Terminate(Termination::kNoRestrictedInjection);
  }
  // vTOM would change what C=0 means, reflected #VC and alternate injection who handles events, and
  // of what we do not know we cannot say.
  if ((status & ~kAllowed) != 0) {
    Terminate(Termination::kRefusedFeature);
  }
}

void CheckVmpl() {
  // Only VMPL0 can take rights away from VMPL1; at VMPL1 the instruction refuses.
  const void* page = reinterpret_cast<const void*>(SEH_DIRECT_MAP + SEH_CPUID_PAGE);
  if (Rmpadjust(page, SNP_SIZE_4K, SNP_RMPADJUST(kGuestVmpl, 0)) != SNP_OK) {
    Terminate(Termination::kNotVmpl0);
  }
}

void CheckHost() {
  const uint64_t info = VmgExitWithMsr(GHCB_MSR_INFO_REQUEST);
  if (GHCB_MSR_CODE(info) != GHCB_MSR_INFO_RESPONSE || ((info >> 32) & 0xffff) > GHCB_VERSION ||
      info >> 48 < GHCB_VERSION) {
    Terminate(Termination::kGhcbVersion);
  }
  const uint64_t features = VmgExitWithMsr(GHCB_MSR_FEATURES_REQUEST);
  if (GHCB_MSR_CODE(features) != GHCB_MSR_FEATURES_RESPONSE ||
      (features >> 12 & kHostFeatures) != kHostFeatures) {
    Terminate(Termination::kHostFeatures);
  }
}

}  // namespace nsgx::snp
