// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "vmpl-switch/snp/cpu/termination.h"

namespace nsgx::snp {

// What the SEH demands of the place where it finds itself, as rules about the registers that say
// it. The error is why the machine is to be ended.

// SEV_STATUS. Trust: the processor.
Result<void, Termination> CheckSevStatus(uint64_t status);

// The GHCB MSR after GHCB_MSR_INFO_REQUEST and GHCB_MSR_FEATURES_REQUEST. Trust: nothing.
Result<void, Termination> CheckGhcbInfo(uint64_t answer);
Result<void, Termination> CheckHostFeatures(uint64_t answer);

}  // namespace nsgx::snp
