// SPDX-License-Identifier: Apache-2.0
// What each processor of the SEH has for itself; GS points to it while the SEH runs.
#pragma once

// Offsets for assembly; checked below.
#define PER_CPU_SELF 0
#define PER_CPU_KERNEL_STACK 8
#define PER_CPU_USER_STACK 16
#define PER_CPU_CONTEXT 24
#define PER_CPU_SCRATCH_RAX 32
#define PER_CPU_SCRATCH_RSP 40
#define PER_CPU_EVENT_PENDING 48
#define PER_CPU_RESUMING 64

#ifndef __ASSEMBLER__

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/core/addr.h"
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/snp/cpu/descriptors.h"

namespace nsgx::snp {

class Ghcb;
class HostGate;

struct PerCpu {
  PerCpu* self = nullptr;
  uint64_t kernel_stack = 0;  // top of the stack for entries from ring 3; the same as tss.rsp0
  uint64_t user_stack = 0;    // scratch of the SYSCALL entry: the enclave's rsp
  void* context = nullptr;    // whatever runs enclaves keeps here; the SEH's core does not look
  uint64_t scratch_rax = 0;   // of trap_entry.S, while it changes stacks
  uint64_t scratch_rsp = 0;

  // Set by #HV: something waits for VMPL1. Looked at before ring 3 is entered and between the pages
  // of long calls. Cleared when VMPL1 is about to run.
  volatile uint32_t event_pending = 0;
  uint32_t index = 0;
  uint32_t apic_id = 0;
  uint32_t reserved = 0;
  // What ResumeFromTrap is about to load.
  const void* resuming = nullptr;

  HostGate* gate = nullptr;
  Ghcb* ghcb = nullptr;
  volatile ghcb_doorbell* doorbell = nullptr;  // shared with the host

  GuestPhys guest_vmsa;    // the guest processor that runs here, 0: none
  GuestPhys calling_area;  // its calling area

  DescriptorTables tables;
};
static_assert(offsetof(PerCpu, self) == PER_CPU_SELF &&
              offsetof(PerCpu, kernel_stack) == PER_CPU_KERNEL_STACK &&
              offsetof(PerCpu, user_stack) == PER_CPU_USER_STACK &&
              offsetof(PerCpu, context) == PER_CPU_CONTEXT &&
              offsetof(PerCpu, scratch_rax) == PER_CPU_SCRATCH_RAX &&
              offsetof(PerCpu, scratch_rsp) == PER_CPU_SCRATCH_RSP &&
              offsetof(PerCpu, event_pending) == PER_CPU_EVENT_PENDING &&
              offsetof(PerCpu, resuming) == PER_CPU_RESUMING);

// Returns this processor's.
inline PerCpu& ThisCpu() {
  PerCpu* self;
  asm volatile("movq %%gs:0, %0" : "=r"(self));
  return *self;
}

// Returns whether the guest has to run soon. Asks the doorbell too, so that an event counts whose
// #HV was held back.
bool EventPending();

// Sets the stack on which exceptions and SYSCALL from ring 3 arrive. Requires: aligned to 16.
void SetKernelStack(uint64_t top);

}  // namespace nsgx::snp

#endif  // __ASSEMBLER__
