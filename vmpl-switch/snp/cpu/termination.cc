// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/termination.h"

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"

namespace nsgx::snp {

void TerminateMachine(uint64_t reason) {
  for (;;) {
    // The host may come back; nothing goes on here all the same.
    WriteMsr(SNP_MSR_GHCB, GHCB_MSR_TERMINATE | kTerminationSet << 12 | (reason & 0xff) << 16);
    VmgExit();
    asm volatile("hlt");
  }
}

}  // namespace nsgx::snp
