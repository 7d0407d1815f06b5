// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/snp/cpu/cpuid.h"
#include "vmpl-switch/snp/enclave/extended_state.h"

namespace nsgx::snp {

// Returns what CPUID says in an enclave: what the firmware has checked, and those bits that tell
// what is switched on as they are in ring 3 of VMPL0.
CpuidAnswer EnclaveCpuid(const CpuidTable& cpuid, const ExtendedState& extended, uint32_t leaf,
                         uint32_t subleaf);

}  // namespace nsgx::snp
