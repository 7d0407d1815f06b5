// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/nested_tables.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>

#include "vmpl-switch/emulator/monitor/paranoia.h"
#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr Page kPage = 700;
constexpr uint64_t kAddressBits = 0x000ffffffffff000;

class NestedTablesTest : public testing::Test {
 protected:
  static constexpr unsigned kUsed = 2;

  NestedTablesTest() : tables(machine.rmp) {
    for (unsigned vmpl = 0; vmpl < kUsed; ++vmpl) {
      memory[vmpl] = std::make_unique<VmplTables>();
      tables.Initialize(vmpl, *memory[vmpl], vmpl != 0);
    }
    tables.RefreshAll();
    machine.rmp.SetObserver(&tables);
  }

  // What a processor finds for a guest-physical address: the leaf, or 0.
  static uint64_t Walk(uint64_t root, uint64_t address) {
    uint64_t table = root;
    for (int level = 3; level >= 0; --level) {
      const uint64_t entry =
          reinterpret_cast<const uint64_t*>(table)[address >> (12 + 9 * level) & 511];
      if ((entry & kLeafPresent) == 0) {
        return 0;
      }
      if (level == 0 || (entry & 0x80) != 0) {
        return entry;
      }
      table = entry & kAddressBits;
    }
    return 0;
  }
  uint64_t Seen(unsigned vmpl, Page page, bool is_private) {
    return Walk(tables.Root(vmpl, true), AddressOf(page).raw() | (is_private ? kEncryptionBit : 0));
  }
  PageAccess Access(unsigned vmpl, Page page, bool is_private) {
    return NestedTables::AccessOf(Seen(vmpl, page, is_private));
  }

  TestMachine machine;
  std::unique_ptr<VmplTables> memory[kUsed];
  NestedTables tables;
};

TEST_F(NestedTablesTest, ShowsSharedPagesWithoutTheCbitAlone) {
  for (unsigned vmpl = 0; vmpl < kUsed; ++vmpl) {
    EXPECT_EQ(Access(vmpl, kPage, false),
              (PageAccess{.can_read = true, .can_write = true, .can_execute = false}));
    EXPECT_EQ(Seen(vmpl, kPage, true), 0u);
  }
}

TEST_F(NestedTablesTest, ShowsPrivatePagesWithTheCbitToWhoHasRights) {
  machine.MakePrivate(kPage);
  EXPECT_EQ(Seen(0, kPage, false), 0u);
  EXPECT_EQ(Access(0, kPage, true),
            (PageAccess{.can_read = true, .can_write = true, .can_execute = true}));
  EXPECT_EQ(Seen(1, kPage, true), 0u);
  EXPECT_EQ(Seen(1, kPage, false), 0u);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  EXPECT_EQ(Access(1, kPage, true), (PageAccess{.can_read = true}));
  machine.rmp.SetRights(kPage, 1, 0, false);
  EXPECT_EQ(Seen(1, kPage, true), 0u);
}

TEST_F(NestedTablesTest, LeadsEveryPageToItself) {
  machine.MakePrivate(kPage);
  EXPECT_EQ(Seen(0, kPage, true) & kAddressBits, AddressOf(kPage).raw());
  EXPECT_EQ(Seen(0, kPage + 1, false) & kAddressBits, AddressOf(kPage + 1).raw());
}

TEST_F(NestedTablesTest, MakesEveryAccessPrivateWithoutPaging) {
  machine.MakePrivate(kPage);
  const uint64_t root = tables.Root(0, false);
  EXPECT_TRUE(NestedTables::AccessOf(Walk(root, AddressOf(kPage).raw())).can_execute);
  EXPECT_EQ(Walk(root, AddressOf(kPage + 1).raw()), 0u);
  EXPECT_EQ(Walk(root, AddressOf(kPage).raw() | kEncryptionBit), 0u);
}

TEST_F(NestedTablesTest, ShowsNobodyTheMonitor) {
  for (unsigned vmpl = 0; vmpl < kUsed; ++vmpl) {
    for (uint64_t address = kGuestEnd.raw(); address < kRamSize; address += kLargePageSize) {
      ASSERT_EQ(Seen(vmpl, PageOf(GuestPhys(address)), false), 0u) << std::hex << address;
      ASSERT_EQ(Seen(vmpl, PageOf(GuestPhys(address)), true), 0u) << std::hex << address;
    }
  }
}

TEST_F(NestedTablesTest, ShowsDevicesToTheVmplThatHasThem) {
  constexpr Page kLocalApic = 0xfee00;
  EXPECT_NE(Seen(1, kLocalApic, false), 0u);
  EXPECT_EQ(Seen(1, kLocalApic, true), 0u);
  EXPECT_EQ(Seen(0, kLocalApic, false), 0u);
}

TEST_F(NestedTablesTest, CountsOnlyWhatIsLost) {
  machine.MakePrivate(kPage);
  uint64_t before = tables.generation(1);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ | SNP_RIGHT_WRITE, false);
  EXPECT_EQ(tables.generation(1), before);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  EXPECT_GT(tables.generation(1), before);
  before = tables.generation(1);
  machine.rmp.SetRights(kPage, 1, 0, false);
  EXPECT_GT(tables.generation(1), before);
}

TEST_F(NestedTablesTest, StopsOthersBeforeWhatTheyMayRememberChanges) {
  struct Witness final : Revoker {
    explicit Witness(const NestedTables& the_tables) : tables(the_tables) {}
    void StopOthers() override {
      ++stops;
      could_read = NestedTables::AccessOf(tables.leaf(1, View::kPrivate, kPage)).can_read;
    }
    const NestedTables& tables;
    int stops = 0;
    bool could_read = false;
  } witness(tables);
  machine.MakePrivate(kPage);
  tables.SetRevoker(witness);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  EXPECT_EQ(witness.stops, 0);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  EXPECT_EQ(witness.stops, 0);
  machine.rmp.SetRights(kPage, 1, 0, false);
  EXPECT_EQ(witness.stops, 1);
  EXPECT_TRUE(witness.could_read);
  machine.rmp.SetValidated(kPage, 1, false);
  EXPECT_EQ(witness.stops, 2);
}

TEST_F(NestedTablesTest, ShowsImplicitPrivateAccessesThePageUntilItChanges) {
  machine.MakePrivate(kPage);
  tables.AllowImplicitPrivate(0, kPage);
  EXPECT_TRUE(Access(0, kPage, false).can_read);
  EXPECT_EQ(Seen(1, kPage, false), 0u);
  EXPECT_TRUE(tables.Agrees(kPage));
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  EXPECT_EQ(Seen(0, kPage, false), 0u);
}

TEST_F(NestedTablesTest, LearnsFromTheProcessorWhatWasWritten) {
  ASSERT_TRUE(machine.rmp.Assign(kPage, 1, false).ok());
  machine.rmp.SetValidated(kPage, 1, true);
  ASSERT_FALSE(machine.rmp.entry(kPage).was_written);
  memory[0]->views[static_cast<size_t>(View::kPrivate)].leaves[kPage] |= kLeafDirty;
  machine.memory.At(kPage)[7] = std::byte{0x77};
  EXPECT_GE(machine.rmp.ScrubPrivate(), 1u);
  EXPECT_EQ(machine.memory.At(kPage)[7], std::byte{0});
}

TEST_F(NestedTablesTest, ForgetsAndRemembers) {
  machine.MakePrivate(kPage);
  tables.Forget(0, View::kPrivate, kPage);
  EXPECT_EQ(Seen(0, kPage, true), 0u);
  EXPECT_TRUE(tables.Agrees(kPage));
  tables.PageChanged(kPage);
  EXPECT_TRUE(Access(0, kPage, true).can_write);
}

TEST_F(NestedTablesTest, NoticesATableThatGivesTooMuch) {
  machine.MakePrivate(kPage);
  ASSERT_TRUE(tables.Agrees(kPage));
  uint64_t& leaf = memory[1]->views[static_cast<size_t>(View::kPrivate)].leaves[kPage];
  leaf = AddressOf(kPage).raw() | kLeafPresent | kLeafUser | kLeafNoExecute;
  EXPECT_FALSE(tables.Agrees(kPage));
  leaf = 0;
  EXPECT_TRUE(tables.Agrees(kPage));
  // The right access, to a wrong page.
  uint64_t& own = memory[0]->views[static_cast<size_t>(View::kPrivate)].leaves[kPage];
  own += kPageSize;
  EXPECT_FALSE(tables.Agrees(kPage));
}

TEST_F(NestedTablesTest, ParanoiaFindsADisagreement) {
  Paranoia paranoia(true, 1);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(paranoia.BeforeEntry(tables, machine.rmp, 0));
  }
  EXPECT_GT(paranoia.forgotten(), 0u);
  memory[1]->views[static_cast<size_t>(View::kPrivate)].leaves[kPage] =
      AddressOf(kPage).raw() | kLeafPresent | kLeafUser | kLeafNoExecute;
  bool found = false;
  for (uint64_t i = 0; i < TestMachine::kPages && !found; ++i) {
    found = !paranoia.BeforeEntry(tables, machine.rmp, 0);
  }
  EXPECT_TRUE(found);
}

// Whatever host and guest do, tables say what the RMP says, and whoever loses a right is told.
TEST_F(NestedTablesTest, FollowsTheRmpThroughAnything) {
  constexpr Page kFirst = 512;
  constexpr uint64_t kCount = 1024;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    for (int step = 0; step < 2000; ++step) {
      const Page page = kFirst + random.Below(kCount);
      const Page large = page - page % TestMachine::kPagesPerLarge;
      const PageAccess seen_before = Access(1, page, true);
      const uint64_t generation = tables.generation(1);
      const RmpEntry& entry = machine.rmp.entry(page);
      switch (random.Below(8)) {
        case 0:
          static_cast<void>(machine.rmp.Assign(page, 1, false).ok());
          break;
        case 1:
          static_cast<void>(machine.rmp.Assign(large, TestMachine::kPagesPerLarge, true).ok());
          break;
        case 2:
          static_cast<void>(machine.rmp.Share(page, 1).ok());
          break;
        case 3:
          tables.Forget(static_cast<unsigned>(random.Below(kUsed)),
                        random.OneIn(2) ? View::kPrivate : View::kShared, page);
          break;
        case 4:
          tables.AllowImplicitPrivate(static_cast<unsigned>(random.Below(kUsed)), page);
          break;
        default:
          if (entry.is_assigned && entry.is_validated && random.OneIn(2)) {
            machine.rmp.SetRights(page, 1, static_cast<uint8_t>(random.Below(16)),
                                  random.OneIn(50));
          } else if (entry.is_assigned) {
            machine.rmp.SetValidated(page, 1, random.OneIn(2));
          }
          break;
      }
      ASSERT_TRUE(tables.Agrees(page));
      const PageAccess after = machine.rmp.PrivateAccess(page, 1);
      const PageAccess seen = Access(1, page, true);
      ASSERT_FALSE((seen.can_read && !after.can_read) || (seen.can_write && !after.can_write) ||
                   (seen.can_execute && !after.can_execute));
      // What the processor may have remembered, and may not use any more.
      const bool loses = (seen_before.can_read && !after.can_read) ||
                         (seen_before.can_write && !after.can_write) ||
                         (seen_before.can_execute && !after.can_execute);
      ASSERT_TRUE(!loses || tables.generation(1) > generation);
    }
    for (Page page = kFirst; page < kFirst + kCount; ++page) {
      ASSERT_TRUE(tables.Agrees(page));
    }
  }
}

}  // namespace
}  // namespace nsgx::emu
