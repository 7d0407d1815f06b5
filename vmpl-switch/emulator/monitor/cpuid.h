// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/monitor/hardware.h"

namespace nsgx::emu {

// What guests are told about their processor: `answer` is what the real one says.
//
// Hidden are SVM, and XSAVE with all that needs it: QEMU has XSAVE but not XSAVEC, and Linux
// refuses to run as an SNP guest with the one but not the other. Added is the leaf that says that
// memory is encrypted, and where the C-bit is.
CpuidAnswer FilterCpuid(uint32_t leaf, uint32_t subleaf, const CpuidAnswer& answer);

// Fills the page that the firmware checks at launch.
void FillCpuidPage(Hardware& hardware, snp_cpuid_page& page);

}  // namespace nsgx::emu
