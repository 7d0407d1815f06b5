// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/memory/page_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr GuestPhys kFirst{0x10000};
constexpr uint64_t kCount = 8;

class PageAllocatorTest : public testing::Test {
 protected:
  PageAllocatorTest() {
    std::fill_n(machine_.memory.At(kFirst), kCount * kPageSize, std::byte{0xee});
    allocator_.Initialize(machine_.memory,
                          PageRange<GuestPhysTag>::OfPages(kFirst, kCount).value());
  }

  bool IsZero(GuestPhys page) {
    const std::byte* bytes = machine_.memory.At(page);
    return std::all_of(bytes, bytes + kPageSize, [](std::byte b) { return b == std::byte{0}; });
  }

  FakeMachine machine_;
  PageAllocator allocator_;
};

TEST_F(PageAllocatorTest, GivesEachPageOnce) {
  std::set<uint64_t> pages;
  for (uint64_t i = 0; i < kCount; ++i) {
    const GuestPhys page = allocator_.AllocatePage().value();
    EXPECT_TRUE(IsZero(page));
    EXPECT_GE(page, kFirst);
    pages.insert(page.raw());
  }
  EXPECT_EQ(pages.size(), kCount);
  EXPECT_EQ(allocator_.free_pages(), 0u);
  EXPECT_EQ(allocator_.AllocatePage().error(), Status::kNoMemory);
}

TEST_F(PageAllocatorTest, WipesWhatComesBack) {
  const GuestPhys page = allocator_.AllocatePage().value();
  std::fill_n(machine_.memory.At(page), kPageSize, std::byte{0x5a});
  allocator_.FreePage(page);
  EXPECT_TRUE(std::all_of(machine_.memory.At(page) + sizeof(uint64_t),
                          machine_.memory.At(page) + kPageSize,
                          [](std::byte b) { return b == std::byte{0}; }));
  EXPECT_EQ(allocator_.free_pages(), kCount);
  EXPECT_EQ(allocator_.AllocatePage().value(), page);
  EXPECT_TRUE(IsZero(page));
}

TEST_F(PageAllocatorTest, GivesRunsForEver) {
  const GuestPhys run = allocator_.AllocateForEver(3).value();
  EXPECT_EQ(run, kFirst);
  EXPECT_TRUE(IsZero(run + 2 * kPageSize));
  EXPECT_EQ(allocator_.free_pages(), kCount - 3);
  EXPECT_EQ(allocator_.AllocateForEver(kCount).error(), Status::kNoMemory);
  EXPECT_EQ(allocator_.AllocateForEver(~uint64_t{0}).error(), Status::kNoMemory);
}

TEST_F(PageAllocatorTest, StopsAtForeignPages) {
  EXPECT_DEATH(allocator_.FreePage(GuestPhys(0x1000)), "check failed");
  EXPECT_DEATH(allocator_.FreePage(kFirst + kPageSize), "check failed");  // never given out
}

}  // namespace
}  // namespace nsgx::snp
