// SPDX-License-Identifier: Apache-2.0
// What the payload's parts share. It brings its own instructions and protocols: it is a witness,
// not a user of the code that it looks at.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::conformance {

struct TrapFrame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  uint64_t vector, error_code;
  uint64_t rip, cs, rflags, rsp, ss;
};

// The last trap.
struct Trap {
  uint64_t count, vector, error_code, rip, cr2, frame;
};
extern volatile Trap g_trap;
extern volatile uint64_t g_doorbells;
extern volatile uint64_t g_interrupts;

struct [[gnu::packed]] TaskState {
  uint32_t reserved0;
  uint64_t rsp[3];
  uint64_t reserved1;
  uint64_t ist[7];
  uint8_t reserved2[12];
};
static_assert(sizeof(TaskState) == 0x68);

// traps.cc
void StartTraps();
inline void ForgetTrap() {
  g_trap.count = 0;
  g_trap.vector = 0;
  g_trap.error_code = 0;
}

// Where all of memory is seen without the C-bit.
inline constexpr uint64_t kSharedWindow = uint64_t{1} << 39;
template <typename T>
volatile T* SharedView(const volatile T* private_address) {
  return reinterpret_cast<volatile T*>(reinterpret_cast<uintptr_t>(private_address) +
                                       kSharedWindow);
}

// ---- instructions ----

inline uint64_t ReadMsr(uint32_t number) {
  uint32_t low;
  uint32_t high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number) : "memory");
  return uint64_t{high} << 32 | low;
}
inline void WriteMsr(uint32_t number, uint64_t value) {
  asm volatile("wrmsr"
               :
               : "c"(number), "a"(static_cast<uint32_t>(value)),
                 "d"(static_cast<uint32_t>(value >> 32))
               : "memory");
}
inline void VmgExit() { asm volatile("rep; vmmcall" : : : "memory"); }
inline uint64_t MsrProtocol(uint64_t request) {
  WriteMsr(SNP_MSR_GHCB, request);
  VmgExit();
  return ReadMsr(SNP_MSR_GHCB);
}

// An instruction that may trap; then it ends there and g_trap says so. The result is what it left
// in rax, all ones if it was cut short.
#define CONFORMANCE_GUARDED(instruction)                               \
  "leaq 1f(%%rip), %%r11\n movq %%r11, g_recover(%%rip)\n" instruction \
  "\n jmp 2f\n 1:\n"                                                   \
  "movq $-1, %%rax\n 2:\n movq $0, g_recover(%%rip)"

struct SnpResult {
  uint64_t code;
  bool carry;
};
inline SnpResult Pvalidate(uint64_t address, uint64_t size, uint64_t validate) {
  uint64_t rax = address;
  uint8_t carry;
  asm volatile(CONFORMANCE_GUARDED(".byte 0xf2, 0x0f, 0x01, 0xff\n setc %1")
               : "+a"(rax), "=r"(carry)
               : "c"(size), "d"(validate)
               : "memory", "cc", "r11");
  return {rax, carry != 0};
}
inline uint64_t Rmpadjust(uint64_t address, uint64_t size, uint64_t attributes) {
  uint64_t rax = address;
  asm volatile(CONFORMANCE_GUARDED(".byte 0xf3, 0x0f, 0x01, 0xfe")
               : "+a"(rax)
               : "c"(size), "d"(attributes)
               : "memory", "cc", "r11");
  return rax;
}
// All translations of the guest, with all global ones, on all processors.
inline uint64_t Invlpgb() {
  uint64_t rax = 0xc;
  asm volatile(CONFORMANCE_GUARDED(".byte 0x0f, 0x01, 0xfe\n .byte 0x0f, 0x01, 0xff")
               : "+a"(rax)
               : "c"(0), "d"(0)
               : "memory", "cc", "r11");
  return rax;
}
struct QueryResult {
  uint64_t code, size, attributes;
};
inline QueryResult Rmpquery(uint64_t address, uint64_t vmpl) {
  QueryResult result = {address, 0, vmpl};
  asm volatile(CONFORMANCE_GUARDED(".byte 0xf3, 0x0f, 0x01, 0xfd")
               : "+a"(result.code), "+c"(result.size), "+d"(result.attributes)
               :
               : "memory", "cc", "r11");
  return result;
}
inline uint64_t GuardedRead(uint64_t address) {
  uint64_t rax = 0;
  asm volatile(CONFORMANCE_GUARDED("movq (%%rcx), %%rax")
               : "+a"(rax)
               : "c"(address)
               : "memory", "cc", "r11");
  return rax;
}
inline uint64_t GuardedWrite(uint64_t address, uint64_t value) {
  uint64_t rax = 0;
  asm volatile(CONFORMANCE_GUARDED("movq %%rdx, (%%rcx)")
               : "+a"(rax)
               : "c"(address), "d"(value)
               : "memory", "cc", "r11");
  return rax;
}
// Requires: a RET is there, if it can be read.
inline uint64_t GuardedCall(uint64_t address) {
  uint64_t rax = 0;
  // A trap at the target leaves the return address on the stack.
  asm volatile("movq %%rsp, %%r12\n" CONFORMANCE_GUARDED("call *%%rcx") "\n movq %%r12, %%rsp"
               : "+a"(rax)
               : "c"(address)
               : "memory", "cc", "r11", "r12");
  return rax;
}
inline uint64_t GuardedInvalid() {
  uint64_t rax = 0;
  asm volatile(CONFORMANCE_GUARDED("vmsave %%rax") : "+a"(rax) : : "memory", "cc", "r11");
  return rax;
}
inline uint64_t GuardedReadMsr(uint32_t number) {
  uint64_t rax = 0;
  asm volatile(CONFORMANCE_GUARDED("rdmsr")
               : "+a"(rax)
               : "c"(number)
               : "memory", "cc", "rdx", "r11");
  return rax;
}
inline uint64_t ReadTsc() {
  uint32_t low;
  uint32_t high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return uint64_t{high} << 32 | low;
}
inline uint64_t ReadXmm5() {
  uint64_t value;
  asm volatile("movq %%xmm5, %0" : "=r"(value));
  return value;
}
inline void WriteXmm5(uint64_t value) { asm volatile("movq %0, %%xmm5" : : "r"(value)); }
inline uint64_t ReadDr0() {
  uint64_t value;
  asm volatile("movq %%dr0, %0" : "=r"(value));
  return value;
}
inline void WriteDr0(uint64_t value) { asm volatile("movq %0, %%dr0" : : "r"(value)); }

// ---- lower.cc: what VMPL1 does when it is asked ----

enum class Job : uint64_t {
  kNothing,
  kRead,
  kWrite,
  kCall,
  kPvalidate,
  kRmpadjust,
  kRmpquery,
  kCpuid,
  kReadMsr,
  kRegisters,   // result: what xmm5 and DR0 were; then it leaves others there
  kStartTimer,  // of the local APIC
  kTakeInterrupt,
  kDma,  // eight bytes from `address` to `value` by a PCI device; result: whether there is one
};
struct JobPage {
  Job job;
  uint64_t address, value;
  uint64_t result, result2;
  Trap trap;
};
extern volatile JobPage g_job;
extern uint8_t g_lower_stack[16384];
extern "C" void lower_entry();
extern "C" void return_only();

// ---- racer.cc: what other processors do ----

enum class RacerJob : uint64_t {
  kRest,
  kRead,
  kWrite,
  kHold,  // asks to be held, and rests when it goes on
};

// What all of them do now. `epoch` is odd while `address` is taken from them.
struct Race {
  uint64_t address, epoch;
};
extern volatile Race g_race;

struct Racer {
  volatile RacerJob job;
  volatile uint64_t reached;   // accesses that went through
  volatile uint64_t denied;    // and that trapped
  volatile uint64_t too_late;  // that went through after the page was taken away
  volatile uint64_t held;      // times it was held and went on
  TaskState task_state;
  alignas(16) uint8_t stack[8192];
  alignas(16) uint8_t vc_stack[8192];
  alignas(16) uint8_t hv_stack[8192];
};
extern "C" void racer_entry();

inline constexpr uint64_t kLowerXmm5 = 0x1111222233334444;
inline constexpr uint64_t kLowerDr0 = 0x5555000;

}  // namespace nsgx::conformance
