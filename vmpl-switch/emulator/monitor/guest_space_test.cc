// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/guest_space.h"

#include <gtest/gtest.h>

#include "base/core/bytes.h"
#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kAddress = 0xffff'8000'0000'0000;
constexpr Page kPage = 600;

class GuestSpaceTest : public testing::Test {
 protected:
  Translation Translate(uint64_t address, AccessKind kind = AccessKind::kRead) {
    return machine.Space().Translate(GuestVirt(address), kind, false).value();
  }
  SpaceFault Fault(uint64_t address, AccessKind kind = AccessKind::kRead, bool is_user = false) {
    return machine.Space().Translate(GuestVirt(address), kind, is_user).error();
  }

  TestMachine machine;
};

TEST_F(GuestSpaceTest, FollowsSmallAndLargePages) {
  machine.Map(kAddress, kPage);
  machine.MapLarge(kAddress + kLargePageSize, 1024, {.is_private = false});
  EXPECT_EQ(Translate(kAddress + 0x123).address, GuestPhys(kPage * kPageSize + 0x123));
  EXPECT_TRUE(Translate(kAddress).is_private);
  EXPECT_EQ(Translate(kAddress + kLargePageSize + 0x54321).address,
            GuestPhys(1024 * kPageSize + 0x54321));
  EXPECT_FALSE(Translate(kAddress + kLargePageSize).is_private);
}

TEST_F(GuestSpaceTest, FaultsWithTheProcessorsErrorCodes) {
  machine.Map(kAddress, kPage, {.writable = false, .no_execute = true});
  EXPECT_EQ(Fault(kAddress + kPageSize).error_code, 0u);
  EXPECT_EQ(Fault(kAddress + kPageSize, AccessKind::kWrite).error_code, 2u);
  EXPECT_EQ(Fault(kAddress, AccessKind::kWrite).error_code, 3u);
  EXPECT_EQ(Fault(kAddress, AccessKind::kExecute).error_code, 0x11u);
  EXPECT_EQ(Fault(kAddress, AccessKind::kRead, true).error_code, 5u);
  EXPECT_EQ(Fault(kAddress + kPageSize).kind, SpaceFault::Kind::kPageFault);
}

TEST_F(GuestSpaceTest, LetsRing0WriteReadOnlyPagesWithoutWriteProtection) {
  machine.Map(kAddress, kPage, {.writable = false});
  machine.save.cr0 &= ~kCr0WriteProtect;
  EXPECT_EQ(Translate(kAddress, AccessKind::kWrite).address, AddressOf(kPage));
}

TEST_F(GuestSpaceTest, ReadsTablesAsPrivateMemory) {
  machine.Map(kAddress, kPage);
  ASSERT_TRUE(machine.rmp.Share(TestMachine::kPages - 1, 1).ok());
  const SpaceFault fault = Fault(kAddress);
  EXPECT_EQ(fault.kind, SpaceFault::Kind::kRmp);
  EXPECT_EQ(fault.rmp, RmpFault::kNotAssigned);
  EXPECT_EQ(fault.page, TestMachine::kPages - 1);
}

TEST_F(GuestSpaceTest, ReadsTablesWithTheRightsOfTheVmpl) {
  machine.Map(kAddress, kPage);
  const auto result = machine.Space(1).Translate(GuestVirt(kAddress), AccessKind::kRead, false);
  EXPECT_EQ(result.error().rmp, RmpFault::kRights);
}

TEST_F(GuestSpaceTest, KnowsTablesThatLeadOutOfMemory) {
  machine.Map(kAddress, kPage);
  machine.Entry(kAddress, 2) = 0x7fff'ffff'f000 | 7;
  EXPECT_EQ(Fault(kAddress).rmp, RmpFault::kNotRam);
  machine.save.cr3 = 0x000f'ffff'ffff'f000;
  EXPECT_EQ(Fault(kAddress).kind, SpaceFault::Kind::kRmp);
}

TEST_F(GuestSpaceTest, IsPrivateAndDirectWithoutPaging) {
  machine.save.cr0 = kCr0Protection;
  EXPECT_EQ(Translate(0x600123).address, GuestPhys(0x600123));
  EXPECT_TRUE(Translate(0x600123).is_private);
}

TEST_F(GuestSpaceTest, DoesNotWalkOtherKindsOfTables) {
  machine.save.efer &= ~kEferLongActive;
  EXPECT_EQ(Fault(kAddress).kind, SpaceFault::Kind::kUnsupported);
}

TEST_F(GuestSpaceTest, MovesBytesAcrossPages) {
  machine.MakePrivate(kPage, 2);
  machine.Map(kAddress, kPage + 1);
  machine.Map(kAddress + kPageSize, kPage);
  const uint64_t value = 0x1122334455667788;
  const GuestVirt address(kAddress + kPageSize - 3);
  ASSERT_TRUE(machine.Space().Write(address, BytesOf(value)).ok());
  EXPECT_EQ(machine.memory.At(kPage + 1)[kPageSize - 1], std::byte{0x66});
  EXPECT_EQ(machine.memory.At(kPage)[0], std::byte{0x55});
  uint64_t read = 0;
  ASSERT_TRUE(machine.Space().Read(address, MutableBytesOf(read)).ok());
  EXPECT_EQ(read, value);
}

TEST_F(GuestSpaceTest, MovesNothingThatTheRmpDenies) {
  machine.Map(kAddress, kPage, {.is_private = false});
  uint64_t value = 1;
  EXPECT_TRUE(machine.Space().Write(GuestVirt(kAddress), BytesOf(value)).ok());
  ASSERT_TRUE(machine.rmp.Assign(kPage, 1, false).ok());
  EXPECT_EQ(machine.Space().Read(GuestVirt(kAddress), MutableBytesOf(value)).error().rmp,
            RmpFault::kAssigned);
}

TEST_F(GuestSpaceTest, RemembersWhatItHasWritten) {
  machine.Map(kAddress, kPage);
  ASSERT_TRUE(machine.rmp.Assign(kPage, 1, false).ok());
  machine.rmp.SetValidated(kPage, 1, true);
  const uint8_t value = 1;
  ASSERT_FALSE(machine.rmp.entry(kPage).was_written);
  ASSERT_TRUE(machine.Space().Write(GuestVirt(kAddress), BytesOf(value)).ok());
  EXPECT_TRUE(machine.rmp.entry(kPage).was_written);
}

TEST_F(GuestSpaceTest, FetchesUpToWhereNothingIs) {
  machine.MakePrivate(kPage);
  machine.Map(kAddress, kPage);
  std::byte bytes[15];
  EXPECT_EQ(machine.Space().Fetch(GuestVirt(kAddress), bytes), 15u);
  EXPECT_EQ(machine.Space().Fetch(GuestVirt(kAddress + kPageSize - 4), bytes), 4u);
  EXPECT_EQ(machine.Space().Fetch(GuestVirt(kAddress + kPageSize), bytes), 0u);
  // The last bytes of the space: nothing wraps into trouble.
  EXPECT_EQ(machine.Space().Fetch(GuestVirt(~uint64_t{0} - 3), bytes), 0u);
}

}  // namespace
}  // namespace nsgx::emu
