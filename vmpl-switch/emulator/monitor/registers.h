// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

inline constexpr uint32_t kMsrEfer = 0xc0000080;
inline constexpr uint32_t kMsrTscAux = 0xc0000103;

// The registers that VMRUN does not move; vmrun.S knows the order.
struct GeneralRegisters {
  uint64_t rcx, rdx, rbx, rbp, rsi, rdi;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

// x87 and SSE, as FXSAVE stores them in 64-bit mode.
struct alignas(16) FxState {
  uint16_t control, status;
  uint8_t tags;  // one bit a register: not empty
  uint8_t reserved0;
  uint16_t opcode;
  uint64_t instruction, data;
  uint32_t mxcsr, mxcsr_mask;
  uint8_t x87[8][16];  // ten bytes of each
  uint8_t xmm[256];
  uint8_t reserved1[96];
};
static_assert(sizeof(FxState) == 512);

// Everything of one virtual processor at one VMPL that is in the processor while it runs.
struct LiveState {
  VmcbSave* save = nullptr;
  GeneralRegisters* registers = nullptr;
  FxState* fx = nullptr;
  std::array<uint64_t, 4>* dr = nullptr;
  uint64_t* tsc_aux = nullptr;
};

// Writes the state into a VMSA. What a VMSA has besides stays as it is.
void StoreToVmsa(const LiveState& live, snp_vmsa& vmsa);

// Takes the state from a VMSA, which whoever owns it may have filled with anything; the processor's
// own checks come at entry. What no guest may choose (EFER.SVME) is put right.
void LoadFromVmsa(const snp_vmsa& vmsa, const LiveState& live);

// The value of a general register by its number in instructions; rsp and rax are in the save area.
uint64_t ReadRegister(const LiveState& live, unsigned number);

}  // namespace nsgx::emu
