// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/registers.h"

#include "base/core/check.h"

namespace nsgx::emu {
namespace {

constexpr unsigned kX87Registers = 8;
constexpr size_t kX87RegisterSize = 10;
constexpr uint16_t kTagEmpty = 3;

// A VMSA has two bits a register, of which FXSAVE keeps whether they say "empty".
uint16_t FullTags(uint8_t tags) {
  uint16_t full = 0;
  for (unsigned i = 0; i < kX87Registers; ++i) {
    if ((tags & 1u << i) == 0) {
      full = static_cast<uint16_t>(full | kTagEmpty << (2 * i));
    }
  }
  return full;
}
uint8_t ShortTags(uint16_t full) {
  uint8_t tags = 0;
  for (unsigned i = 0; i < kX87Registers; ++i) {
    if (((full >> (2 * i)) & kTagEmpty) != kTagEmpty) {
      tags = static_cast<uint8_t>(tags | 1u << i);
    }
  }
  return tags;
}

}  // namespace

void StoreToVmsa(const LiveState& live, snp_vmsa& vmsa) {
  const uint8_t vmpl = vmsa.vmpl;
  uint64_t masks[4];
  __builtin_memcpy(masks, vmsa.dr_mask, sizeof(masks));
  __builtin_memcpy(static_cast<void*>(&vmsa), live.save, kCommonStateSize);
  vmsa.vmpl = vmpl;
  __builtin_memcpy(vmsa.dr_mask, masks, sizeof(masks));
  __builtin_memcpy(vmsa.dr, live.dr->data(), sizeof(vmsa.dr));
  vmsa.tsc_aux = static_cast<uint32_t>(*live.tsc_aux);

  const GeneralRegisters& registers = *live.registers;
  vmsa.rcx = registers.rcx;
  vmsa.rdx = registers.rdx;
  vmsa.rbx = registers.rbx;
  vmsa.rbp = registers.rbp;
  vmsa.rsi = registers.rsi;
  vmsa.rdi = registers.rdi;
  vmsa.r8 = registers.r8;
  vmsa.r9 = registers.r9;
  vmsa.r10 = registers.r10;
  vmsa.r11 = registers.r11;
  vmsa.r12 = registers.r12;
  vmsa.r13 = registers.r13;
  vmsa.r14 = registers.r14;
  vmsa.r15 = registers.r15;

  const FxState& fx = *live.fx;
  vmsa.x87_fcw = fx.control;
  vmsa.x87_fsw = fx.status;
  vmsa.x87_ftw = FullTags(fx.tags);
  vmsa.x87_fop = fx.opcode;
  vmsa.x87_rip = fx.instruction;
  vmsa.x87_dp = fx.data;
  vmsa.mxcsr = fx.mxcsr;
  for (unsigned i = 0; i < kX87Registers; ++i) {
    __builtin_memcpy(&vmsa.x87_registers[i * kX87RegisterSize], fx.x87[i], kX87RegisterSize);
  }
  __builtin_memcpy(vmsa.xmm, fx.xmm, sizeof(vmsa.xmm));
}

void LoadFromVmsa(const snp_vmsa& vmsa, const LiveState& live) {
  __builtin_memcpy(static_cast<void*>(live.save), &vmsa, kCommonStateSize);
  live.save->efer |= SNP_EFER_SVME;
  __builtin_memcpy(live.dr->data(), vmsa.dr, sizeof(vmsa.dr));
  *live.tsc_aux = vmsa.tsc_aux;

  *live.registers = {vmsa.rcx, vmsa.rdx, vmsa.rbx, vmsa.rbp, vmsa.rsi, vmsa.rdi, vmsa.r8,
                     vmsa.r9,  vmsa.r10, vmsa.r11, vmsa.r12, vmsa.r13, vmsa.r14, vmsa.r15};

  FxState& fx = *live.fx;
  fx = {};
  fx.control = vmsa.x87_fcw;
  fx.status = vmsa.x87_fsw;
  fx.tags = ShortTags(vmsa.x87_ftw);
  fx.opcode = vmsa.x87_fop;
  fx.instruction = vmsa.x87_rip;
  fx.data = vmsa.x87_dp;
  // Reserved bits would be an exception of ours.
  fx.mxcsr = vmsa.mxcsr & 0xffff;
  for (unsigned i = 0; i < kX87Registers; ++i) {
    __builtin_memcpy(fx.x87[i], &vmsa.x87_registers[i * kX87RegisterSize], kX87RegisterSize);
  }
  __builtin_memcpy(fx.xmm, vmsa.xmm, sizeof(vmsa.xmm));
}

uint64_t ReadRegister(const LiveState& live, unsigned number) {
  const GeneralRegisters& registers = *live.registers;
  switch (number) {
    case 0:
      return live.save->rax;
    case 1:
      return registers.rcx;
    case 2:
      return registers.rdx;
    case 3:
      return registers.rbx;
    case 4:
      return live.save->rsp;
    case 5:
      return registers.rbp;
    case 6:
      return registers.rsi;
    case 7:
      return registers.rdi;
    default: {
      CHECK(number < 16);
      const uint64_t upper[] = {registers.r8,  registers.r9,  registers.r10, registers.r11,
                                registers.r12, registers.r13, registers.r14, registers.r15};
      return upper[number - 8];
    }
  }
}

}  // namespace nsgx::emu
