// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/start_rules.h"

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kRequired = SNP_STATUS_SEV | SNP_STATUS_SEV_ES | SNP_STATUS_SEV_SNP;
// What may be on as well: it takes nothing away from the SEH. Debug-register swap, no host IBS, BTB
// isolation, secure TSC, SMT protection.
constexpr uint64_t kAllowed = kRequired | SNP_STATUS_RESTRICTED_INJECTION | SNP_STATUS_DEBUG_SWAP |
                              1 << 8 | 1 << 9 | SNP_STATUS_SECURE_TSC | 1 << 17;

constexpr uint64_t kNeeded = GHCB_FEATURE_SNP | GHCB_FEATURE_AP_CREATION |
                             GHCB_FEATURE_RESTRICTED_INJECTION | GHCB_FEATURE_MULTI_VMPL;

}  // namespace

Result<void, Termination> CheckSevStatus(uint64_t status) {
  if ((status & kRequired) != kRequired) {
    return Error(Termination::kNotSnp);
  }
  // Without it a host could make us take any exception at any instruction.
  if ((status & SNP_STATUS_RESTRICTED_INJECTION) == 0) {
    return Error(Termination::kNoRestrictedInjection);
  }
  // vTOM would change what C=0 means, reflected #VC and alternate injection who handles events, and
  // of what we do not know we cannot say.
  if ((status & ~kAllowed) != 0) {
    return Error(Termination::kRefusedFeature);
  }
  return {};
}

Result<void, Termination> CheckGhcbInfo(uint64_t answer) {
  const uint64_t highest = answer >> 48;
  const uint64_t lowest = (answer >> 32) & 0xffff;
  if (GHCB_MSR_CODE(answer) != GHCB_MSR_INFO_RESPONSE || lowest > GHCB_VERSION ||
      highest < GHCB_VERSION) {
    return Error(Termination::kGhcbVersion);
  }
  return {};
}

Result<void, Termination> CheckHostFeatures(uint64_t answer) {
  if (GHCB_MSR_CODE(answer) != GHCB_MSR_FEATURES_RESPONSE || (answer >> 12 & kNeeded) != kNeeded) {
    return Error(Termination::kHostFeatures);
  }
  return {};
}

}  // namespace nsgx::snp
