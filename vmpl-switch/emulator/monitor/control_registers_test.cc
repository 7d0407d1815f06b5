// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/control_registers.h"

#include <gtest/gtest.h>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kPaging = kCr0Paging | kCr0Protection;
constexpr uint64_t kLongMode = SNP_EFER_SVME | kEferLongEnable | kEferLongActive;

// On its way to long mode: all is ready but paging.
VmcbSave Ready() {
  VmcbSave save = {};
  save.cr0 = kCr0Protection | kCr0ExtensionType;
  save.cr4 = kCr4Pae;
  save.efer = SNP_EFER_SVME | kEferLongEnable;
  return save;
}

VmcbSave InLongMode() {
  VmcbSave save = Ready();
  save.cr0 |= kCr0Paging;
  save.efer = kLongMode;
  save.cs.attributes = kSegmentLongCode;
  return save;
}

TEST(ControlRegisters, LongModeComesAndGoesWithPaging) {
  VmcbSave save = Ready();
  EXPECT_TRUE(WriteCr0(save, kPaging));
  EXPECT_EQ(save.cr0, kPaging | kCr0ExtensionType);
  EXPECT_EQ(save.efer, kLongMode);
  EXPECT_TRUE(WriteCr0(save, kCr0Protection));  // by 32-bit code
  EXPECT_EQ(save.efer, SNP_EFER_SVME | kEferLongEnable);

  save.efer = SNP_EFER_SVME;
  EXPECT_TRUE(WriteCr0(save, kPaging));
  EXPECT_EQ(save.efer, SNP_EFER_SVME) << "paging alone is not long mode";
}

TEST(ControlRegisters, RefusesAWrongCr0AndChangesNothing) {
  const auto refuses = [](VmcbSave save, uint64_t value) {
    const uint64_t cr0 = save.cr0;
    const uint64_t efer = save.efer;
    return !WriteCr0(save, value) && save.cr0 == cr0 && save.efer == efer;
  };
  EXPECT_TRUE(refuses(Ready(), uint64_t{1} << 32 | kPaging)) << "upper half";
  EXPECT_TRUE(refuses(Ready(), kCr0Paging)) << "paging without protection";
  EXPECT_TRUE(refuses(Ready(), kCr0Protection | kCr0NotWriteThrough)) << "NW without CD";
  EXPECT_FALSE(refuses(Ready(), kCr0Protection | kCr0NotWriteThrough | kCr0CacheDisable));
  VmcbSave without_pae = Ready();
  without_pae.cr4 = 0;
  EXPECT_TRUE(refuses(without_pae, kPaging)) << "long mode without PAE";
  EXPECT_TRUE(refuses(InLongMode(), kCr0Protection)) << "64-bit code without paging";
}

TEST(ControlRegisters, EferKeepsWhatIsNotTheGuestsToChange) {
  VmcbSave save = InLongMode();
  EXPECT_TRUE(WriteEfer(save, kEferLongEnable | kEferSyscall | kEferNoExecute));
  EXPECT_EQ(save.efer, kLongMode | kEferSyscall | kEferNoExecute);
  save = Ready();
  EXPECT_TRUE(WriteEfer(save, kLongMode));
  EXPECT_EQ(save.efer & kEferLongActive, 0u) << "only paging activates it";
}

TEST(ControlRegisters, RefusesAWrongEferAndChangesNothing) {
  constexpr uint64_t kTranslationCacheExtension = 1 << 15;
  VmcbSave save = InLongMode();
  EXPECT_FALSE(WriteEfer(save, kLongMode | kTranslationCacheExtension)) << "not in this machine";
  EXPECT_FALSE(WriteEfer(save, kEferSyscall)) << "out of long mode while paging";
  EXPECT_EQ(save.efer, kLongMode);
}

}  // namespace
}  // namespace nsgx::emu
