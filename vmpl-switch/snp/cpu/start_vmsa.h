// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {

// What every VMSA of ours starts with, whoever it is for: all registers as after a reset, but flat
// segments with these selectors, the code 64-bit. Control registers, RIP and features are missing.
void WriteStartVmsa(snp_vmsa& vmsa, uint16_t code_selector, uint16_t data_selector);

}  // namespace nsgx::snp
