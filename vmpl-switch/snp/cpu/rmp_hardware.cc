// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/rmp_hardware.h"

#include "vmpl-switch/snp/cpu/instructions_raw.h"

namespace nsgx::snp {

ValidateResult RmpHardware::Validate(GuestPhys page, SnpPageSize size, bool validate) {
  const PvalidateOutput output = Pvalidate(memory_.At(page), static_cast<uint32_t>(size), validate);
  return {output.code, output.carry};
}

uint32_t RmpHardware::Adjust(GuestPhys page, SnpPageSize size, uint8_t vmpl, uint32_t rights,
                             bool is_vmsa) {
  return Rmpadjust(memory_.At(page), static_cast<uint32_t>(size),
                   SNP_RMPADJUST(vmpl, rights) | (is_vmsa ? SNP_RMPADJUST_VMSA : 0));
}

void RmpHardware::FlushTranslations() {
  if (has_broadcast_) {
    InvalidateBroadcast();
  }
  // Without it the SEH runs on one processor, and the host flushes when it changes VMPLs on that:
  // it runs another VMSA under another ASID's tag, or the same tag after a flush.
}

}  // namespace nsgx::snp
