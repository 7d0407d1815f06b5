// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace nsgx::snp
