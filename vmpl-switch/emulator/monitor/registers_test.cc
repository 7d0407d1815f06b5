// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/registers.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace nsgx::emu {
namespace {

struct Processor {
  VmcbSave save = {};
  GeneralRegisters registers = {};
  FxState fx = {};
  std::array<uint64_t, 4> dr = {};
  uint64_t tsc_aux = 0;

  LiveState live() {
    return {.save = &save, .registers = &registers, .fx = &fx, .dr = &dr, .tsc_aux = &tsc_aux};
  }
};

// Different bytes everywhere, so that no field can stand in for another.
template <typename T>
void FillWithPattern(T& object, uint8_t start) {
  auto* bytes = reinterpret_cast<uint8_t*>(&object);
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<uint8_t>(start + i * 7 + (i >> 8));
  }
}

TEST(Registers, SurviveTheWayThroughAVmsa) {
  auto before = std::make_unique<Processor>();
  FillWithPattern(before->save, 1);
  FillWithPattern(before->registers, 2);
  FillWithPattern(before->fx, 3);
  FillWithPattern(before->dr, 4);
  before->save.efer |= SNP_EFER_SVME;
  before->fx.mxcsr = 0x1f80;
  before->tsc_aux = 0x89abcdef;
  auto vmsa = std::make_unique<snp_vmsa>();
  StoreToVmsa(before->live(), *vmsa);
  auto after = std::make_unique<Processor>();
  LoadFromVmsa(*vmsa, after->live());

  EXPECT_EQ(after->save.rip, before->save.rip);
  EXPECT_EQ(after->save.rsp, before->save.rsp);
  EXPECT_EQ(after->save.rax, before->save.rax);
  EXPECT_EQ(after->save.cr2, before->save.cr2);
  EXPECT_EQ(after->save.cr3, before->save.cr3);
  EXPECT_EQ(after->save.kernel_gs_base, before->save.kernel_gs_base);
  EXPECT_EQ(std::memcmp(&after->save.tr, &before->save.tr, sizeof(snp_segment)), 0);
  EXPECT_EQ(std::memcmp(&after->registers, &before->registers, sizeof(GeneralRegisters)), 0);
  EXPECT_EQ(after->dr, before->dr);
  EXPECT_EQ(after->tsc_aux, before->tsc_aux);
  EXPECT_EQ(after->fx.control, before->fx.control);
  EXPECT_EQ(after->fx.status, before->fx.status);
  EXPECT_EQ(after->fx.tags, before->fx.tags);
  EXPECT_EQ(after->fx.mxcsr, before->fx.mxcsr);
  EXPECT_EQ(std::memcmp(after->fx.xmm, before->fx.xmm, sizeof(before->fx.xmm)), 0);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(std::memcmp(after->fx.x87[i], before->fx.x87[i], 10), 0) << i;
  }
}

TEST(Registers, LeaveInAVmsaWhatIsNotTheirs) {
  Processor processor;
  FillWithPattern(processor.save, 9);
  auto vmsa = std::make_unique<snp_vmsa>();
  vmsa->vmpl = 1;
  vmsa->sev_features = SNP_FEATURE_SNP;
  vmsa->virtual_tom = 0x1234;
  StoreToVmsa(processor.live(), *vmsa);
  EXPECT_EQ(vmsa->vmpl, 1);
  EXPECT_EQ(vmsa->sev_features, uint64_t{SNP_FEATURE_SNP});
  EXPECT_EQ(vmsa->virtual_tom, 0x1234u);
}

TEST(Registers, ComeWithNothingThatTheMonitorMayNotLoad) {
  auto vmsa = std::make_unique<snp_vmsa>();
  std::memset(vmsa.get(), 0xff, sizeof(*vmsa));
  vmsa->efer = 0;
  Processor processor;
  LoadFromVmsa(*vmsa, processor.live());
  EXPECT_NE(processor.save.efer & SNP_EFER_SVME, 0u);
  EXPECT_EQ(processor.fx.mxcsr & ~0xffffu, 0u);
}

TEST(Registers, HaveTheirNumbers) {
  Processor processor;
  processor.save.rax = 100;
  processor.save.rsp = 104;
  processor.registers = {.rcx = 101,
                         .rdx = 102,
                         .rbx = 103,
                         .rbp = 105,
                         .rsi = 106,
                         .rdi = 107,
                         .r8 = 108,
                         .r9 = 109,
                         .r10 = 110,
                         .r11 = 111,
                         .r12 = 112,
                         .r13 = 113,
                         .r14 = 114,
                         .r15 = 115};
  for (unsigned number = 0; number < 16; ++number) {
    EXPECT_EQ(ReadRegister(processor.live(), number), 100 + number);
  }
}

}  // namespace
}  // namespace nsgx::emu
