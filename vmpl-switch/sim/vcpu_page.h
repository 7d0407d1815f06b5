// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/seh/machine.h"
#include "vmpl-switch/sim/layout.h"

namespace nsgx::sim {

struct ThreadBlock;

enum class FaultAnswer {
  kDeliver,  // the enclave's own affair
  kRetry,    // the SEH has done something about it
  kEnd,      // the enclave must not go on
};

// The SEH as the switch sees it: one for each enclave. Lies in SEH memory.
class SehCalls {
 public:
  // Answers NSGX_GATE_* calls from `slot`. Runs in the SEH state: host thread pointer, the slot's
  // SEH stack, everything accessible.
  virtual int64_t GateCall(uint32_t slot, uint64_t call,
                           const std::array<uint64_t, 5>& arguments) = 0;
  // The enclave lacked the right `needed` at `address`, anywhere. Called from signal handlers, with
  // everything accessible.
  virtual FaultAnswer HandleFault(uint64_t address, seh::Permissions needed) = 0;
  // What NSGX_GATE_SET_HANDLER set, 0 before. Read from signal handlers.
  virtual uint64_t exception_entry() const = 0;
  virtual uint64_t syscall_entry() const = 0;

 protected:
  ~SehCalls() = default;
};

// Written by the one thread that runs the slot, or its signal handler.
struct VcpuCounters {
  std::array<uint64_t, 16> gate_calls;  // by number - NSGX_GATE_FIRST_SEH_CALL
  uint64_t exceptions;
  uint64_t ticks;
  uint64_t syscalls_reflected;
};

// Why a slot ended, with all registers.
struct VcpuCrash {
  uint64_t cause;
  uint64_t address;
  uint64_t rip;
  std::array<uint64_t, 18> registers;  // in the order of struct nsgx_frame
};

// What the SEH knows of one thread slot. Lies in SEH memory at the end of SIM_VCPU_STRIDE bytes,
// below it the stack of SEH calls.
struct VcpuPage {
  nsgx_slot* slot;
  ThreadBlock* block;  // of the thread that entered last
  std::array<uint64_t, 2> host_calls;
  uint64_t found_rsp;  // of the enclave during a SEH call
  uint64_t found_fs;
  std::array<uint64_t, 6> call;  // number and arguments of a SEH call
  // From here on of no interest to switch_code.S.
  SehCalls* seh;
  uint32_t slot_index;
  uint32_t reserved;
  VcpuCounters counters;
  VcpuCrash crash;
};

}  // namespace nsgx::sim
