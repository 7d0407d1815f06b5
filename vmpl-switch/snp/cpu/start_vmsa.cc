// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/start_vmsa.h"

namespace nsgx::snp {

void WriteStartVmsa(snp_vmsa& vmsa, uint16_t code_selector, uint16_t data_selector) {
  vmsa = {};
  vmsa.cs = {code_selector, 0xa9b, 0xffffffff, 0};
  vmsa.ds = vmsa.es = vmsa.ss = vmsa.fs = vmsa.gs = {data_selector, 0xc93, 0xffffffff, 0};
  vmsa.ldtr = {0, 0x82, 0xffff, 0};
  vmsa.tr = {0, 0x8b, 0xffff, 0};
  vmsa.dr6 = 0xffff0ff0;
  vmsa.dr7 = 0x400;
  vmsa.rflags = 2;
  vmsa.g_pat = SNP_PAT_RESET;
  vmsa.xcr0 = 1;
  vmsa.mxcsr = 0x1f80;
  vmsa.x87_ftw = 0x5555;
  vmsa.x87_fcw = 0x37f;
}

}  // namespace nsgx::snp
