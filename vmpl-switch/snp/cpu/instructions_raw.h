// SPDX-License-Identifier: Apache-2.0
// Instructions that need ring 0 or an SNP guest, and nothing more. Named `_raw` because each of
// them can break every promise that the rest of the SEH makes.
#pragma once

#include <cstdint>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {

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

// VMGEXIT: hands over to the host, which has read and written shared memory when this returns.
inline void VmgExit() { asm volatile("rep; vmmcall" : : : "memory"); }

// Writes `request` to the GHCB MSR, leaves for the host, and returns what the MSR then holds.
inline uint64_t VmgExitWithMsr(uint64_t request) {
  WriteMsr(SNP_MSR_GHCB, request);
  VmgExit();
  return ReadMsr(SNP_MSR_GHCB);
}

struct PvalidateOutput {
  uint32_t code;
  bool carry;
};
inline PvalidateOutput Pvalidate(const void* address, uint32_t size, bool validate) {
  uint64_t rax = reinterpret_cast<uintptr_t>(address);
  bool carry;
  asm volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
               : "+a"(rax), "=@ccc"(carry)
               : "c"(size), "d"(static_cast<uint32_t>(validate))
               : "memory");
  return {static_cast<uint32_t>(rax), carry};
}

inline uint32_t Rmpadjust(const void* address, uint32_t size, uint64_t attributes) {
  uint64_t rax = reinterpret_cast<uintptr_t>(address);
  asm volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
               : "+a"(rax)
               : "c"(size), "d"(attributes)
               : "memory", "cc");
  return static_cast<uint32_t>(rax);
}

// Makes every processor of this guest forget all translations. Requires: CPUID 0x80000008 ebx[3].
inline void InvalidateBroadcast() {
  asm volatile(".byte 0x0f, 0x01, 0xfe" : : "a"(0xcull), "c"(0), "d"(0) : "memory");  // INVLPGB
  asm volatile(".byte 0x0f, 0x01, 0xff" : : : "memory");                              // TLBSYNC
}

inline void InvalidatePage(uint64_t address) {
  asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

inline uint64_t ReadCr2() {
  uint64_t value;
  asm volatile("movq %%cr2, %0" : "=r"(value));
  return value;
}
inline uint64_t ReadCr3() {
  uint64_t value;
  asm volatile("movq %%cr3, %0" : "=r"(value));
  return value;
}
inline void WriteCr3(uint64_t value) { asm volatile("movq %0, %%cr3" : : "r"(value) : "memory"); }
inline uint64_t ReadCr4() {
  uint64_t value;
  asm volatile("movq %%cr4, %0" : "=r"(value));
  return value;
}
inline void WriteCr4(uint64_t value) { asm volatile("movq %0, %%cr4" : : "r"(value) : "memory"); }
inline uint64_t ReadCr0() {
  uint64_t value;
  asm volatile("movq %%cr0, %0" : "=r"(value));
  return value;
}
inline void WriteCr0(uint64_t value) { asm volatile("movq %0, %%cr0" : : "r"(value) : "memory"); }

inline uint64_t ReadTsc() {
  uint32_t low;
  uint32_t high;
  asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
  return uint64_t{high} << 32 | low;
}

}  // namespace nsgx::snp
