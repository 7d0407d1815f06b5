// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/memory/address_space.h"

#include <gtest/gtest.h>

#include <vector>

#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kEncryptionBit = uint64_t{1} << 47;
constexpr GuestPhys kTables{0x100000};
constexpr uint64_t kUserAddress = 0x10000;
constexpr uint64_t kKernelAddress = 0xffff800000000000;
constexpr uint64_t kAliasAddress = 0xffffff0000000000;  // of the enclave's slot, 510

// What a processor finds: the leaf, and the rights of all levels together.
struct Walk {
  bool is_present = false;
  uint64_t leaf = 0;
  bool write = true, user = true, execute = true;
};

class AddressSpaceTest : public testing::Test {
 protected:
  AddressSpaceTest() {
    allocator_.Initialize(machine_.memory, PageRange<GuestPhysTag>::OfPages(kTables, 64).value());
  }

  AddressSpace MakeSpace(const AddressSpace* kernel = nullptr) {
    return AddressSpace::Make(machine_.memory, allocator_, kEncryptionBit, kernel).value();
  }

  Walk WalkTo(const AddressSpace& space, uint64_t address) {
    Walk walk;
    uint64_t entry = space.cr3();
    for (int level = 3; level >= 0; --level) {
      // Tables are private, all of them.
      EXPECT_NE(entry & kEncryptionBit, 0u);
      const uint64_t table = entry & 0x000ffffffffff000 & ~kEncryptionBit;
      entry = machine_.At<uint64_t>(GuestPhys(table))[(address >> (12 + 9 * level)) % 512];
      if ((entry & 1) == 0) {
        return walk;
      }
      walk.write &= (entry & 2) != 0;
      walk.user &= (entry & 4) != 0;
      walk.execute &= entry >> 63 == 0;
      if (level > 0 && (entry & 0x80) != 0) {
        break;
      }
    }
    walk.is_present = true;
    walk.leaf = entry;
    return walk;
  }

  FakeMachine machine_;
  PageAllocator allocator_;
};

TEST_F(AddressSpaceTest, MapsWithExactlyTheRightsAskedFor) {
  AddressSpace space = MakeSpace();
  uint64_t address = kUserAddress;
  for (const bool user : {false, true}) {
    for (const MapRights rights : {MapRights{.user = user}, MapRights{.write = true, .user = user},
                                   MapRights{.execute = true, .user = user}}) {
      ASSERT_TRUE(space.Map(address, GuestPhys(0x7000), rights).ok());
      const Walk walk = WalkTo(space, address);
      ASSERT_TRUE(walk.is_present);
      EXPECT_EQ(walk.write, rights.write);
      EXPECT_EQ(walk.execute, rights.execute);
      EXPECT_EQ(walk.user, rights.user);
      EXPECT_NE(walk.leaf & kEncryptionBit, 0u);
      address += kPageSize;
    }
  }
  EXPECT_EQ(space.Translate(kUserAddress + 0x123).value(), GuestPhys(0x7123));
  EXPECT_EQ(space.Translate(address).error(), Status::kNotFound);
}

TEST_F(AddressSpaceTest, SharedPagesHaveNoEncryptionBit) {
  AddressSpace space = MakeSpace();
  ASSERT_TRUE(space.Map(kKernelAddress, GuestPhys(0x7000), {.write = true, .shared = true}).ok());
  const Walk walk = WalkTo(space, kKernelAddress);
  EXPECT_EQ(walk.leaf & kEncryptionBit, 0u);
  EXPECT_FALSE(walk.user);
  EXPECT_FALSE(walk.execute);
}

TEST_F(AddressSpaceTest, NothingIsWritableAndExecutable) {
  AddressSpace space = MakeSpace();
  EXPECT_DEATH(
      static_cast<void>(
          space.Map(kUserAddress, GuestPhys(0x7000), {.write = true, .execute = true}).ok()),
      "check failed");
}

TEST_F(AddressSpaceTest, ProtectsAndUnmaps) {
  AddressSpace space = MakeSpace();
  ASSERT_TRUE(space.Map(kUserAddress, GuestPhys(0x7000), {.write = true, .user = true}).ok());
  EXPECT_EQ(space.Map(kUserAddress, GuestPhys(0x8000), {}).error(), Status::kAlreadyExists);
  ASSERT_TRUE(space.Protect(kUserAddress, {.user = true}).ok());
  EXPECT_FALSE(WalkTo(space, kUserAddress).write);
  EXPECT_EQ(space.Unmap(kUserAddress).value(), GuestPhys(0x7000));
  EXPECT_FALSE(WalkTo(space, kUserAddress).is_present);
  EXPECT_EQ(space.Unmap(kUserAddress).error(), Status::kNotFound);
  EXPECT_EQ(space.Protect(kUserAddress + kPageSize, {}).error(), Status::kNotFound);
}

TEST_F(AddressSpaceTest, LargePages) {
  AddressSpace space = MakeSpace();
  ASSERT_TRUE(space.MapLarge(kKernelAddress, GuestPhys(kLargePageSize), {.write = true}).ok());
  EXPECT_EQ(space.Translate(kKernelAddress + 0x12345).value(), GuestPhys(kLargePageSize + 0x12345));
  EXPECT_EQ(space.Map(kKernelAddress + kPageSize, GuestPhys(0x7000), {}).error(),
            Status::kAlreadyExists);
  EXPECT_EQ(space.Unmap(kKernelAddress).error(), Status::kNotFound);
}

TEST_F(AddressSpaceTest, SharesTheKernelButNotTheSlot) {
  AddressSpace kernel = MakeSpace();
  ASSERT_TRUE(kernel.Map(kKernelAddress, GuestPhys(0x7000), {.write = true}).ok());
  AddressSpace one = MakeSpace(&kernel);
  AddressSpace two = MakeSpace(&kernel);
  // What is mapped later below a shared table is seen everywhere.
  ASSERT_TRUE(kernel.Map(kKernelAddress + kPageSize, GuestPhys(0x8000), {}).ok());
  EXPECT_EQ(one.Translate(kKernelAddress + kPageSize).value(), GuestPhys(0x8000));
  ASSERT_TRUE(one.Map(kAliasAddress, GuestPhys(0x9000), {.write = true}).ok());
  EXPECT_EQ(one.Translate(kAliasAddress).value(), GuestPhys(0x9000));
  EXPECT_FALSE(two.Translate(kAliasAddress).ok());
  EXPECT_FALSE(kernel.Translate(kAliasAddress).ok());
  // The shared half is the kernel's to change.
  EXPECT_DEATH(static_cast<void>(one.Map(kKernelAddress + 2 * kPageSize, GuestPhys(0), {}).ok()),
               "check failed");
}

TEST_F(AddressSpaceTest, GivesAllTablesBack) {
  AddressSpace kernel = MakeSpace();
  ASSERT_TRUE(kernel.Map(kKernelAddress, GuestPhys(0x7000), {.write = true}).ok());
  const uint64_t free = allocator_.free_pages();
  AddressSpace space = MakeSpace(&kernel);
  ASSERT_TRUE(space.Map(kUserAddress, GuestPhys(0x7000), {.user = true}).ok());
  ASSERT_TRUE(space.Map(kAliasAddress, GuestPhys(0x7000), {}).ok());
  EXPECT_LT(allocator_.free_pages(), free);
  space.Destroy();
  EXPECT_EQ(allocator_.free_pages(), free);
  EXPECT_TRUE(kernel.Translate(kKernelAddress).ok());
}

TEST_F(AddressSpaceTest, SaysWhenThereIsNoMemory) {
  AddressSpace space = MakeSpace();
  while (allocator_.free_pages() > 2) {
    ASSERT_TRUE(allocator_.AllocatePage().ok());
  }
  EXPECT_EQ(space.Map(kUserAddress, GuestPhys(0x7000), {}).error(), Status::kNoMemory);
  EXPECT_FALSE(space.Translate(kUserAddress).ok());
}

TEST_F(AddressSpaceTest, TheAliasIsTheSehsAloneAndNeverExecutable) {
  AddressSpace kernel = MakeSpace();
  AddressSpace space = MakeSpace(&kernel);
  ASSERT_TRUE(space.MakeAlias(kUserAddress).ok());
  const uint64_t offset = kUserAddress;
  const struct {
    MapRights rights;
    bool write, user, execute;
  } kCases[] = {
      {{.write = true, .user = true}, true, true, false},
      {{.execute = true, .user = true}, false, true, true},
      {{.user = true}, false, true, false},
      {{}, false, false, false},
  };
  ASSERT_TRUE(space.Map(kUserAddress, GuestPhys(0x5000), {}).ok());
  for (const auto& one : kCases) {
    ASSERT_TRUE(space.Protect(kUserAddress, one.rights).ok());
    const Walk user = WalkTo(space, kUserAddress);
    EXPECT_EQ(user.user, one.user);
    EXPECT_EQ(user.write, one.write);
    EXPECT_EQ(user.execute, one.execute);
    const Walk alias = WalkTo(space, kAliasAddress + offset);
    ASSERT_TRUE(alias.is_present);
    EXPECT_FALSE(alias.user);
    EXPECT_FALSE(alias.execute);
    EXPECT_EQ(alias.write, one.write);
    EXPECT_EQ(alias.leaf, user.leaf);
  }
  // What is mapped later shows, too; what lies in other 512 GiB does not.
  ASSERT_TRUE(space.Map(kUserAddress + (uint64_t{1} << 38), GuestPhys(0x6000), {}).ok());
  EXPECT_TRUE(WalkTo(space, kAliasAddress + offset + (uint64_t{1} << 38)).is_present);
  ASSERT_TRUE(space.Map(uint64_t{1} << 39, GuestPhys(0x7000), {}).ok());
  EXPECT_FALSE(WalkTo(space, kAliasAddress).is_present);
  // The tables are there once.
  const uint64_t before = allocator_.free_pages();
  space.Destroy();
  EXPECT_EQ(allocator_.free_pages() - before, 9u);
}

TEST_F(AddressSpaceTest, UnmappingAllTellsOfEachPageOnce) {
  AddressSpace kernel = MakeSpace();
  AddressSpace space = MakeSpace(&kernel);
  const uint64_t base = uint64_t{3} << 39;
  ASSERT_TRUE(space.Map(base + 0x1000, GuestPhys(0x5000), {.user = true}).ok());
  ASSERT_TRUE(space.Map(base + (uint64_t{1} << 33), GuestPhys(0x6000), {.write = true}).ok());
  ASSERT_TRUE(space.Map(kUserAddress, GuestPhys(0x7000), {}).ok());
  std::vector<uint64_t> pages;
  const auto take = [](void* context, GuestPhys page) {
    static_cast<std::vector<uint64_t>*>(context)->push_back(page.raw());
  };
  space.UnmapAll(base + 0x1000, take, &pages);
  EXPECT_EQ(pages, (std::vector<uint64_t>{0x5000, 0x6000}));
  EXPECT_EQ(space.Translate(base + 0x1000).error(), Status::kNotFound);
  EXPECT_TRUE(space.Translate(kUserAddress).ok());
  space.UnmapAll(base, take, &pages);
  space.UnmapAll(uint64_t{7} << 39, take, &pages);
  EXPECT_EQ(pages.size(), 2u);
}

}  // namespace
}  // namespace nsgx::snp
