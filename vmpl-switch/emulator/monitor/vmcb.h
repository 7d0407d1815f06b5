// SPDX-License-Identifier: Apache-2.0
// The processor's own structure for a guest: AMD document 24593 (APM volume 2), appendix B, as much
// of it as QEMU has.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/addr.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::emu {

// Intercepts, by the word that has them.
inline constexpr uint32_t kInterceptWriteCr0 = 1 << 16;  // cr
inline constexpr uint32_t kVectorDivide = 0;
inline constexpr uint32_t kVectorDebug = 1;
inline constexpr uint32_t kVectorNmi = 2;
inline constexpr uint32_t kVectorBreakpoint = 3;
inline constexpr uint32_t kVectorOverflow = 4;
inline constexpr uint32_t kVectorInvalidOpcode = 6;
inline constexpr uint32_t kVectorDoubleFault = 8;
inline constexpr uint32_t kVectorInvalidTss = 10;
inline constexpr uint32_t kVectorStack = 12;
inline constexpr uint32_t kVectorGeneralProtection = 13;
inline constexpr uint32_t kVectorPageFault = 14;
inline constexpr uint32_t kIntercept3Intr = 1 << 0;
inline constexpr uint32_t kIntercept3Nmi = 1 << 1;
inline constexpr uint32_t kIntercept3Vintr = 1 << 4;
inline constexpr uint32_t kIntercept3Cpuid = 1 << 18;
inline constexpr uint32_t kIntercept3Iret = 1 << 20;
inline constexpr uint32_t kIntercept3Hlt = 1 << 24;
inline constexpr uint32_t kIntercept3Invlpga = 1 << 26;
inline constexpr uint32_t kIntercept3Ioio = 1 << 27;
inline constexpr uint32_t kIntercept3Msr = 1 << 28;
inline constexpr uint32_t kIntercept3Shutdown = 1u << 31;
// VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT.
inline constexpr uint32_t kIntercept4Svm = 0x7f;

// Exit codes beyond those of snp.h.
inline constexpr uint64_t kExitWriteCr0 = 0x10;
inline constexpr uint64_t kExitDebug = 0x40 + kVectorDebug;
inline constexpr uint64_t kExitInvalidOpcode = 0x40 + kVectorInvalidOpcode;
inline constexpr uint64_t kExitNmi = 0x61;
inline constexpr uint64_t kExitVintr = 0x64;
inline constexpr uint64_t kExitIret = 0x74;
inline constexpr uint64_t kExitInvlpga = 0x7a;
inline constexpr uint64_t kExitVmrun = 0x80;
inline constexpr uint64_t kExitSkinit = 0x86;
inline constexpr uint32_t kExitInvalid = 0xffffffff;  // QEMU's versions differ in the upper half

// Nested page fault, exit_info_1.
inline constexpr uint64_t kNpfWrite = 1 << 1;
inline constexpr uint64_t kNpfFetch = 1 << 4;
inline constexpr uint64_t kNpfTableWalk = uint64_t{1} << 33;

// event_inj and exit_int_info: [7:0] vector, [10:8] type, [11] has an error code, [31] valid,
// [63:32] error code.
inline constexpr uint64_t kEventTypeInterrupt = 0 << 8;
inline constexpr uint64_t kEventTypeNmi = 2 << 8;
inline constexpr uint64_t kEventTypeException = 3 << 8;
inline constexpr uint64_t kEventTypeSoftware = 4 << 8;
inline constexpr uint64_t kEventTypeMask = 7 << 8;
inline constexpr uint64_t kEventHasError = 1 << 11;
inline constexpr uint64_t kEventValid = uint64_t{1} << 31;

// virtual_interrupt
inline constexpr uint64_t kVirtualIrq = 1 << 8;
inline constexpr uint64_t kVirtualPriorityHighest = 0xf << 16;
inline constexpr uint64_t kVirtualIgnoreTpr = 1 << 20;
inline constexpr uint64_t kVirtualMasking = 1 << 24;

inline constexpr uint64_t kRflagsCarry = 1 << 0;
inline constexpr uint64_t kRflagsTrap = 1 << 8;
inline constexpr uint64_t kRflagsInterrupts = 1 << 9;
inline constexpr uint64_t kRflagsNestedTask = 1 << 14;
inline constexpr uint64_t kRflagsResume = 1 << 16;
inline constexpr uint64_t kRflagsVirtual8086 = 1 << 17;

inline constexpr uint64_t kCr0Protection = 1 << 0;
inline constexpr uint64_t kCr0TaskSwitched = 1 << 3;
inline constexpr uint64_t kCr0ExtensionType = 1 << 4;
inline constexpr uint64_t kCr0WriteProtect = 1 << 16;
inline constexpr uint64_t kCr0NotWriteThrough = 1 << 29;
inline constexpr uint64_t kCr0CacheDisable = 1 << 30;
inline constexpr uint64_t kCr0Paging = uint64_t{1} << 31;
inline constexpr uint64_t kCr4Pae = 1 << 5;
inline constexpr uint64_t kCr4La57 = 1 << 12;

// In a segment's attributes.
inline constexpr uint16_t kSegmentLongCode = 1 << 9;

inline constexpr uint64_t kEferSyscall = 1 << 0;
inline constexpr uint64_t kEferLongEnable = 1 << 8;
inline constexpr uint64_t kEferLongActive = 1 << 10;
inline constexpr uint64_t kEferNoExecute = 1 << 11;
inline constexpr uint64_t kEferFastFxsave = 1 << 14;

struct VmcbControl {
  uint32_t intercept_cr;  // 0x000
  uint32_t intercept_dr;
  uint32_t intercept_exceptions;
  uint32_t intercept3;
  uint32_t intercept4;
  uint32_t intercept5;
  uint8_t reserved0[0x28];
  uint64_t io_map;  // 0x040
  uint64_t msr_map;
  uint64_t tsc_offset;
  uint32_t asid;
  uint8_t tlb_control;
  uint8_t reserved1[3];
  uint64_t virtual_interrupt;  // 0x060
  uint64_t interrupt_shadow;
  uint64_t exit_code;  // 0x070
  uint64_t exit_info_1;
  uint64_t exit_info_2;
  uint64_t exit_int_info;
  uint64_t nested_paging;  // 0x090
  uint8_t reserved2[0x10];
  uint64_t event_inj;  // 0x0a8
  uint64_t nested_cr3;
  uint64_t lbr_control;
  uint64_t clean;  // 0x0c0
  uint64_t next_rip;
  uint8_t reserved3[0x330];
};
static_assert(sizeof(VmcbControl) == 0x400 && offsetof(VmcbControl, io_map) == 0x40 &&
              offsetof(VmcbControl, virtual_interrupt) == 0x60 &&
              offsetof(VmcbControl, exit_code) == 0x70 &&
              offsetof(VmcbControl, nested_paging) == 0x90 &&
              offsetof(VmcbControl, event_inj) == 0xa8 && offsetof(VmcbControl, clean) == 0xc0);

// What VMCB and VMSA have in common: the first bytes of struct snp_vmsa.
inline constexpr size_t kCommonStateSize = 0x298;

// The fields have the offsets of struct snp_vmsa, so this is one whose end is missing.
struct VmcbSave {
  snp_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
  uint8_t reserved0[0x2b];
  uint8_t cpl;  // 0x0cb
  uint8_t reserved1[4];
  uint64_t efer;  // 0x0d0
  uint8_t reserved2[0x70];
  uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;  // 0x148
  uint8_t reserved3[0x58];
  uint64_t rsp;  // 0x1d8
  uint8_t reserved4[0x18];
  uint64_t rax;  // 0x1f8
  uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
  uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
  uint64_t cr2;  // 0x240
  uint8_t reserved5[0x20];
  uint64_t g_pat;  // 0x268
  uint64_t dbgctl, br_from, br_to, last_exception_from, last_exception_to;
  uint8_t reserved6[0xc00 - kCommonStateSize];
};
static_assert(sizeof(VmcbSave) == 0xc00 && offsetof(VmcbSave, cpl) == offsetof(snp_vmsa, cpl) &&
              offsetof(VmcbSave, efer) == offsetof(snp_vmsa, efer) &&
              offsetof(VmcbSave, cr4) == offsetof(snp_vmsa, cr4) &&
              offsetof(VmcbSave, rip) == offsetof(snp_vmsa, rip) &&
              offsetof(VmcbSave, rsp) == offsetof(snp_vmsa, rsp) &&
              offsetof(VmcbSave, rax) == offsetof(snp_vmsa, rax) &&
              offsetof(VmcbSave, cr2) == offsetof(snp_vmsa, cr2) &&
              offsetof(VmcbSave, g_pat) == offsetof(snp_vmsa, g_pat) &&
              offsetof(VmcbSave, last_exception_to) + 8 == kCommonStateSize);

struct alignas(kPageSize) Vmcb {
  VmcbControl control;
  VmcbSave save;
};
static_assert(sizeof(Vmcb) == kPageSize);

}  // namespace nsgx::emu
