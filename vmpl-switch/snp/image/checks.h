// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace nsgx::snp {

// Makes sure that this is an SNP guest at VMPL0 with the protection that the SEH relies on, and a
// host that can run one. Ends the machine if not, each reason with a code of its own.
//
// Works by registers alone; the boot page tables are enough.
void CheckFeatures();
void CheckVmpl();
void CheckHost();

}  // namespace nsgx::snp
