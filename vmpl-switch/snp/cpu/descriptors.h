// SPDX-License-Identifier: Apache-2.0
// Segments, TSS and IDT of one processor at VMPL0.
#pragma once

#include "vmpl-switch/snp/cpu/selectors.h"

#ifndef __ASSEMBLER__

#include <array>
#include <cstdint>

namespace nsgx::snp {

struct [[gnu::packed]] Tss {
  uint32_t reserved0 = 0;
  uint64_t rsp[3] = {};
  uint64_t reserved1 = 0;
  uint64_t ist[7] = {};
  uint64_t reserved2 = 0;
  uint16_t reserved3 = 0;
  uint16_t io_map = sizeof(Tss);  // none: no port for ring 3
};
static_assert(sizeof(Tss) == 104);

// Interrupt stacks, by their number in the IDT.
inline constexpr unsigned kDoubleFaultStack = 1;
inline constexpr unsigned kHvStack = 2;
inline constexpr unsigned kVcStack = 3;
inline constexpr unsigned kOtherStack = 4;  // #DB, NMI, #MC

struct DescriptorTables {
  std::array<uint64_t, 7> gdt = {};
  Tss tss;
};

// Fills in and loads GDT and TSS, and loads the IDT that all processors share. Data segments become
// null, FS and GS bases stay.
//
// Requires: the tables live at their place for ever; the stacks' tops are set in tss.ist.
void LoadDescriptorTables(DescriptorTables& tables);

// Makes SYSCALL from ring 3 arrive at `entry`, in ring 0 with interrupts off, the enclave's rsp and
// GS. `entry` is assembly: it does swapgs, and takes its stack from PerCpu::kernel_stack.
void EnableSyscall(void (*entry)());

}  // namespace nsgx::snp

#endif  // __ASSEMBLER__
