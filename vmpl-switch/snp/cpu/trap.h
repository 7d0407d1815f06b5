// SPDX-License-Identifier: Apache-2.0
// Exceptions at VMPL0: how they arrive, and who gets them.
#pragma once

// For assembly; checked in trap.cc.
#define TRAP_VECTOR_HV 28
#define TRAP_VECTOR_VC 29
#define TRAP_TERMINATE_HOST_PROTOCOL 15
#define TRAP_TERMINATE_EXCEPTION 16
#define TRAP_TERMINATE_DOUBLE_FAULT 19

#ifndef __ASSEMBLER__

#include <cstddef>
#include <cstdint>

namespace nsgx::snp {

// What trap_entry.S leaves on the stack. Lies below what the processor pushed.
struct TrapFrame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
  uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
  uint64_t vector;
  uint64_t error_code;  // 0 where the processor pushes none
  uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(TrapFrame) == 176 && offsetof(TrapFrame, vector) == 120);

inline constexpr uint64_t kVectorPageFault = 14;
inline constexpr uint64_t kVectorGeneralProtection = 13;
inline constexpr uint64_t kVectorInvalidOpcode = 6;
inline constexpr uint64_t kVectorHv = 28;
inline constexpr uint64_t kVectorVc = 29;

constexpr bool IsFromRing3(const TrapFrame& frame) { return (frame.cs & 3) == 3; }

// Called, on the stack that RSP0 names, with IF = 0, for each exception and #HV that arrives from
// ring 3; CR2 is still the exception's. May change the frame and return, which goes back to ring 3
// with it, or never return. GS is the SEH's.
//
// Trust: every register in the frame is the enclave's. Vector and error code are the processor's,
//        except for #VC: the host chooses when it comes and its code. Decode before you believe.
using RingThreeTrapHandler = void (*)(TrapFrame& frame);
void SetRingThreeTrapHandler(RingThreeTrapHandler handler);

// Goes back to where `frame` says, ring 3 or ring 0, with all its registers. From ring 0 into ring
// 3 for the first time, too: fill in a frame and call this.
//
// Requires: GS is the SEH's, IF = 0; for ring 3: selectors kUserCodeSelector and kUserDataSelector,
//           canonical rip and rsp, and RSP0 is set.
extern "C" [[noreturn]] void ResumeFromTrap(const TrapFrame* frame);

}  // namespace nsgx::snp

#endif  // __ASSEMBLER__
