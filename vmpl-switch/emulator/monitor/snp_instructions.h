// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/decode.h"
#include "vmpl-switch/emulator/monitor/guest_space.h"
#include "vmpl-switch/emulator/monitor/rmp.h"

namespace nsgx::emu {

// What an instruction that asks the RMP did.
struct InstructionOutcome {
  enum class Kind : uint8_t {
    kDone,               // eax = code, carry; registers of RMPQUERY
    kGeneralProtection,  // not ring 0, or PVALIDATE below VMPL0
    kPageFault,          // of the guest's tables: fault.error_code
    kNestedFault,        // the host gets it: fault
  };
  Kind kind = Kind::kDone;
  uint32_t code = 0;
  bool carry = false;       // PVALIDATE alone
  uint64_t attributes = 0;  // RMPQUERY: rdx
  uint64_t size = 0;        // RMPQUERY: rcx
  SpaceFault fault = {};
};

struct SnpOperands {
  GuestVirt address;        // rax
  uint64_t size = 0;        // rcx
  uint64_t attributes = 0;  // rdx
};

// PVALIDATE, RMPADJUST and RMPQUERY of what runs at `vmpl` in ring `cpl`.
InstructionOutcome ExecuteSnp(Instruction instruction, const SnpOperands& operands,
                              const GuestSpace& space, Rmp& rmp, unsigned vmpl, unsigned cpl);

}  // namespace nsgx::emu
