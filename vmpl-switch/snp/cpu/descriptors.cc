// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/descriptors.h"

#include <cstddef>

#include "vmpl-switch/snp/cpu/idt.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kCode = 0x00af9b000000ffff;
constexpr uint64_t kData = 0x00cf93000000ffff;
constexpr uint64_t kUserData = 0x00cff3000000ffff;
constexpr uint64_t kUserCode = 0x00affb000000ffff;

constexpr uint32_t kMsrEfer = 0xc0000080;
constexpr uint32_t kMsrStar = 0xc0000081;
constexpr uint32_t kMsrLstar = 0xc0000082;
constexpr uint32_t kMsrSfmask = 0xc0000084;
constexpr uint64_t kEferSyscall = 1;

// Everything that user code can set in RFLAGS and that must not reach us: TF, IF, DF, IOPL, NT, AC.
constexpr uint64_t kSyscallClearedFlags = 0x47700;

struct [[gnu::packed]] TableRegister {
  uint16_t limit;
  uint64_t base;
};

}  // namespace

void LoadDescriptorTables(DescriptorTables& tables) {
  tables.gdt[SEH_CODE_SELECTOR / 8] = kCode;
  tables.gdt[SEH_DATA_SELECTOR / 8] = kData;
  tables.gdt[SEH_USER_DATA_SELECTOR / 8] = kUserData;
  tables.gdt[SEH_USER_CODE_SELECTOR / 8] = kUserCode;
  const uint64_t tss = reinterpret_cast<uintptr_t>(&tables.tss);
  tables.gdt[SEH_TSS_SELECTOR / 8] = (sizeof(Tss) - 1) | (tss & 0xffffff) << 16 |
                                     uint64_t{0x89} << 40 | ((tss >> 24) & 0xff) << 56;
  tables.gdt[SEH_TSS_SELECTOR / 8 + 1] = tss >> 32;

  const TableRegister gdt = {sizeof(tables.gdt) - 1, reinterpret_cast<uintptr_t>(&tables.gdt)};
  asm volatile(
      "lgdt %0\n\t"
      "pushq %1\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "lretq\n"
      "1:\n\t"
      "movl %2, %%eax\n\t"
      "movl %%eax, %%ss\n\t"
      "xorl %%eax, %%eax\n\t"
      "movl %%eax, %%ds\n\t"
      "movl %%eax, %%es"
      :
      : "m"(gdt), "i"(SEH_CODE_SELECTOR), "i"(SEH_DATA_SELECTOR)
      : "rax", "memory");
  asm volatile("ltr %w0" : : "r"(SEH_TSS_SELECTOR));
  LoadIdt();
}

void EnableSyscall(void (*entry)()) {
  // SYSCALL loads cs from [47:32], SYSRET ss from [63:48] + 8 and cs from [63:48] + 16.
  WriteMsr(kMsrStar, uint64_t{SEH_CODE_SELECTOR} << 32 | uint64_t{SEH_DATA_SELECTOR | 3} << 48);
  WriteMsr(kMsrLstar, reinterpret_cast<uintptr_t>(entry));
  WriteMsr(kMsrSfmask, kSyscallClearedFlags);
  WriteMsr(kMsrEfer, ReadMsr(kMsrEfer) | kEferSyscall);
}

}  // namespace nsgx::snp
