// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/conformance/payload.h"

extern "C" {
extern const uint64_t trap_entries[33];
extern uint64_t gdt_tss[2];
extern const uint8_t race_read[];
extern const uint8_t race_write[];
extern const uint8_t race_denied[];
void PayloadTrap(nsgx::conformance::TrapFrame* frame);
// Named in inline assembly.
volatile uint64_t g_recover_storage asm("g_recover") = 0;
}

namespace nsgx::conformance {

constinit volatile Trap g_trap = {};
constinit volatile uint64_t g_doorbells = 0;
constinit volatile uint64_t g_interrupts = 0;

namespace {

struct Gate {
  uint64_t low, high;
};
struct [[gnu::packed]] TableRegister {
  uint16_t limit;
  uint64_t base;
};

constexpr unsigned kInterruptVector = 64;
constinit Gate g_idt[kInterruptVector + 1] = {};
constinit TaskState g_task_state = {};
alignas(16) constinit uint8_t g_vc_stack[8192] = {};
alignas(16) constinit uint8_t g_hv_stack[8192] = {};

void SetGate(unsigned vector, uint64_t entry, uint64_t stack) {
  g_idt[vector].low = (entry & 0xffff) | uint64_t{8} << 16 | stack << 32 | uint64_t{0x8e} << 40 |
                      (entry >> 16 & 0xffff) << 48;
  g_idt[vector].high = entry >> 32;
}

}  // namespace

void StartTraps() {
  g_task_state.ist[0] = reinterpret_cast<uintptr_t>(g_vc_stack + sizeof(g_vc_stack));
  g_task_state.ist[1] = reinterpret_cast<uintptr_t>(g_hv_stack + sizeof(g_hv_stack));
  for (unsigned vector = 0; vector < 32; ++vector) {
    const uint64_t stack = vector == SNP_VECTOR_VC ? 1 : vector == SNP_VECTOR_HV ? 2 : 0;
    SetGate(vector, trap_entries[vector], stack);
  }
  SetGate(kInterruptVector, trap_entries[32], 0);
  const uint64_t base = reinterpret_cast<uintptr_t>(&g_task_state);
  gdt_tss[0] = (sizeof(TaskState) - 1) | (base & 0xffffff) << 16 | uint64_t{0x89} << 40 |
               (base >> 24 & 0xff) << 56;
  gdt_tss[1] = base >> 32;
  const TableRegister idt = {sizeof(g_idt) - 1, reinterpret_cast<uintptr_t>(g_idt)};
  asm volatile("lidt %0; ltr %w1" : : "m"(idt), "r"(24));
}

}  // namespace nsgx::conformance

void PayloadTrap(nsgx::conformance::TrapFrame* frame) {
  using namespace nsgx::conformance;
  constexpr uint64_t kEndOfInterrupt = 0xfee000b0;
  // Other processors' traps, which must not touch what follows.
  if (frame->rip == reinterpret_cast<uintptr_t>(race_read) ||
      frame->rip == reinterpret_cast<uintptr_t>(race_write)) {
    frame->rip = reinterpret_cast<uintptr_t>(race_denied);
    return;
  }
  if (frame->vector == SNP_VECTOR_HV) {
    g_doorbells = g_doorbells + 1;
    return;
  }
  if (frame->vector == 64) {
    g_interrupts = g_interrupts + 1;
    *reinterpret_cast<volatile uint32_t*>(kSharedWindow + kEndOfInterrupt) = 0;
    return;
  }
  uint64_t cr2;
  asm volatile("movq %%cr2, %0" : "=r"(cr2));
  g_trap.count = g_trap.count + 1;
  g_trap.vector = frame->vector;
  g_trap.error_code = frame->error_code;
  g_trap.rip = frame->rip;
  g_trap.cr2 = cr2;
  g_trap.frame = reinterpret_cast<uintptr_t>(frame);
  if (frame->vector == SNP_VECTOR_VC && frame->error_code == SNP_EXIT_CPUID) {
    frame->rax = 0x600dc0de;
    frame->rip += 2;
    return;
  }
  if (g_recover_storage != 0) {
    frame->rip = g_recover_storage;
    g_recover_storage = 0;
    return;
  }
  // Nobody expected it. The host hears of it: set 14, the reason is the vector.
  MsrProtocol(GHCB_MSR_TERMINATE | 14 << 12 | frame->vector << 16);
}
