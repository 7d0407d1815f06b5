// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/cpu/cpuid.h"
#include "vmpl-switch/snp/cpu/trap.h"

namespace nsgx::snp {

// The table that CPUID is answered from, at VMPL0 ring 0 and ring 3.
extern CpuidTable g_cpuid;

// Gives the interrupted program what CPUID would have given; does not move its rip.
void AnswerCpuid(TrapFrame& frame);

}  // namespace nsgx::snp
