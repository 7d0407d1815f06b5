// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/trap.h"

#include <array>
#include <cstddef>
#include <span>

#include "base/core/log.h"
#include "vmpl-switch/snp/cpu/cpuid_state.h"
#include "vmpl-switch/snp/cpu/descriptors.h"
#include "vmpl-switch/snp/cpu/idt.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"
#include "vmpl-switch/snp/cpu/per_cpu.h"
#include "vmpl-switch/snp/cpu/termination.h"
#include "vmpl-switch/snp/cpu/vc_decoder.h"

extern "C" const uint64_t kTrapEntries[32];

namespace nsgx::snp {
namespace {

constexpr uint64_t kVectorDebug = 1;
constexpr uint64_t kVectorNmi = 2;
constexpr uint64_t kVectorBreakpoint = 3;
constexpr uint64_t kVectorOverflow = 4;
constexpr uint64_t kVectorDoubleFault = 8;
constexpr uint64_t kVectorMachineCheck = 18;

static_assert(TRAP_FRAME_SIZE == sizeof(TrapFrame) &&
              TRAP_FRAME_VECTOR == offsetof(TrapFrame, vector) &&
              TRAP_FRAME_ERROR == offsetof(TrapFrame, error_code) &&
              TRAP_FRAME_CS == offsetof(TrapFrame, cs));
static_assert(TRAP_VECTOR_HV == SNP_VECTOR_HV && TRAP_VECTOR_VC == SNP_VECTOR_VC);
static_assert(TRAP_TERMINATE_HOST_PROTOCOL == static_cast<int>(Termination::kHostProtocol) &&
              TRAP_TERMINATE_EXCEPTION == static_cast<int>(Termination::kUnexpectedException) &&
              TRAP_TERMINATE_DOUBLE_FAULT == static_cast<int>(Termination::kDoubleFault));

struct IdtEntry {
  uint64_t low;
  uint64_t high;
};

struct [[gnu::packed]] TableRegister {
  uint16_t limit;
  uint64_t base;
};

constinit std::array<IdtEntry, 32> g_idt = {};
constinit RingThreeTrapHandler g_ring_three_handler = nullptr;

unsigned InterruptStackOf(uint64_t vector) {
  switch (vector) {
    case kVectorDoubleFault:
      return kDoubleFaultStack;
    case kVectorHv:
      return kHvStack;
    case kVectorVc:
      return kVcStack;
    case kVectorDebug:
    case kVectorNmi:
    case kVectorMachineCheck:
      return kOtherStack;
    default:
      return 0;
  }
}

// INT3 and INTO are the only instructions by which ring 3 may name a vector.
bool RingThreeMayRaise(uint64_t vector) {
  return vector == kVectorBreakpoint || vector == kVectorOverflow;
}

[[noreturn]] void Die(const TrapFrame& frame, Termination reason) {
  LOG(kError, "exception ", frame.vector, " error ", Hex{frame.error_code}, " at ", Hex{frame.rip},
      " rsp ", Hex{frame.rsp}, " cr2 ", Hex{ReadCr2()});
  Terminate(reason);
}

// Our own code raises #VC by CPUID alone; base/crypto asks for features.
void HandleOwnVc(TrapFrame& frame) {
  if (frame.error_code == SNP_EXIT_NOT_VALIDATED) {
    Die(frame, Termination::kNotValidated);
  }
  const Result<DecodedVc> decoded =
      DecodeVc(frame.error_code, std::span(reinterpret_cast<const std::byte*>(frame.rip), 15));
  if (!decoded.ok() || decoded.value().instruction != VcInstruction::kCpuid) {
    Die(frame, Termination::kForgedVc);
  }
  AnswerCpuid(frame);
  frame.rip += decoded.value().size;
}

}  // namespace

constinit CpuidTable g_cpuid;

void LoadIdt() {
  for (uint64_t vector = 0; vector < g_idt.size(); ++vector) {
    const uint64_t entry = kTrapEntries[vector];
    if (entry == 0) {
      continue;
    }
    const uint64_t rights = RingThreeMayRaise(vector) ? 0xee : 0x8e;
    g_idt[vector].low = (entry & 0xffff) | uint64_t{SEH_CODE_SELECTOR} << 16 |
                        uint64_t{InterruptStackOf(vector)} << 32 | rights << 40 |
                        ((entry >> 16) & 0xffff) << 48;
    g_idt[vector].high = entry >> 32;
  }
  const TableRegister idt = {sizeof(g_idt) - 1, reinterpret_cast<uintptr_t>(&g_idt)};
  asm volatile("lidt %0" : : "m"(idt));
}

void SetRingThreeTrapHandler(RingThreeTrapHandler handler) { g_ring_three_handler = handler; }

void AnswerCpuid(TrapFrame& frame) {
  const CpuidAnswer answer =
      g_cpuid.Find(static_cast<uint32_t>(frame.rax), static_cast<uint32_t>(frame.rcx));
  frame.rax = answer.eax;
  frame.rbx = answer.ebx;
  frame.rcx = answer.ecx;
  frame.rdx = answer.edx;
}

// trap_entry.S
extern "C" void HandleTrap(TrapFrame* frame);
void HandleTrap(TrapFrame* frame) {
  if (IsFromRing3(*frame)) {
    if (g_ring_three_handler == nullptr) {
      Die(*frame, Termination::kUnexpectedException);
    }
    g_ring_three_handler(*frame);
    return;
  }
  if (frame->vector == kVectorVc) {
    HandleOwnVc(*frame);
    return;
  }
  Die(*frame, Termination::kUnexpectedException);
}

bool EventPending() {
  PerCpu& cpu = ThisCpu();
  return cpu.event_pending != 0 || (cpu.doorbell != nullptr && cpu.doorbell->per_vmpl_events != 0);
}

void SetKernelStack(uint64_t top) {
  PerCpu& cpu = ThisCpu();
  cpu.kernel_stack = top;
  cpu.tables.tss.rsp[0] = top;
}

}  // namespace nsgx::snp
