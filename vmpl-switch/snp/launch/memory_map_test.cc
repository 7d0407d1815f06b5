// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/memory_map.h"

#include <gtest/gtest.h>

#include <vector>

namespace nsgx::snp {
namespace {

constexpr GuestPhys kLimit{uint64_t{1} << 35};

igvm_memory_map_entry Entry(uint64_t first, uint64_t count, uint16_t type = IGVM_MEMORY_RAM) {
  igvm_memory_map_entry entry = {};
  entry.first_page = first;
  entry.page_count = count;
  entry.type = type;
  return entry;
}

GuestPageRange Pages(uint64_t first, uint64_t count) {
  return GuestPageRange::OfPages(GuestPhys(first << kPageShift), count).value();
}

TEST(MemoryMapTest, TakesRam) {
  const std::vector<igvm_memory_map_entry> entries = {
      Entry(0, 0xa0), Entry(0xa0, 0x60, IGVM_MEMORY_RESERVED), Entry(0x100, 0x8000), Entry(0, 0),
      Entry(0, 5)};  // behind the end
  MemoryMap map;
  ASSERT_TRUE(map.Read(entries, kLimit).ok());
  ASSERT_EQ(map.ranges().size(), 2u);
  EXPECT_EQ(map.ranges()[0], Pages(0, 0xa0));
  EXPECT_EQ(map.ranges()[1], Pages(0x100, 0x8000));
  EXPECT_EQ(map.end(), GuestPhys(0x8100000));
  EXPECT_TRUE(map.Contains(Pages(0x100, 1)));
  EXPECT_FALSE(map.Contains(Pages(0x9f, 2)));
  EXPECT_FALSE(map.Contains(Pages(0xff, 2)));
}

TEST(MemoryMapTest, EndsAtTheLimit) {
  const std::vector<igvm_memory_map_entry> entries = {Entry(0, 0x100), Entry(0x200, 0x100)};
  MemoryMap map;
  ASSERT_TRUE(map.Read(entries, GuestPhys(0x280000)).ok());
  EXPECT_EQ(map.ranges()[1], Pages(0x200, 0x80));
  ASSERT_TRUE(map.Read(entries, GuestPhys(0x200000)).ok());
  EXPECT_EQ(map.ranges().size(), 1u);
}

TEST(MemoryMapTest, RefusesNonsense) {
  const struct {
    const char* what;
    std::vector<igvm_memory_map_entry> entries;
  } kCases[] = {
      {"empty", {}},
      {"ended at once", {Entry(0, 0), Entry(0, 1)}},
      {"no RAM", {Entry(0, 1, IGVM_MEMORY_RESERVED)}},
      {"overlap", {Entry(0, 16), Entry(8, 16)}},
      {"the same twice", {Entry(0, 16), Entry(0, 16)}},
      {"descending", {Entry(16, 16), Entry(0, 8)}},
      {"page number wraps", {Entry(uint64_t{1} << 52, 1)}},
      {"count wraps", {Entry(1, ~uint64_t{0})}},
      {"count wraps in bytes", {Entry(1, uint64_t{1} << 52)}},
      {"sum wraps", {Entry((uint64_t{1} << 52) - 1, 2)}},
      {"overlap with what is reserved", {Entry(0, 16, IGVM_MEMORY_RESERVED), Entry(8, 16)}},
  };
  for (const auto& test : kCases) {
    MemoryMap map;
    EXPECT_EQ(map.Read(test.entries, kLimit).error(), Status::kMalformed) << test.what;
  }
}

TEST(MemoryMapTest, HasAnEnd) {
  std::vector<igvm_memory_map_entry> entries;
  for (uint64_t i = 0; i < MemoryMap::kMaxRanges; ++i) {
    entries.push_back(Entry(4 * i, 3));
  }
  MemoryMap map;
  EXPECT_TRUE(map.Read(entries, kLimit).ok());
  // A hole in one of them makes one more.
  EXPECT_EQ(map.Exclude(Pages(1, 1)).error(), Status::kOutOfRange);
  entries.push_back(Entry(4096, 1));
  EXPECT_EQ(map.Read(entries, kLimit).error(), Status::kOutOfRange);
}

TEST(MemoryMapTest, ExcludesHoles) {
  const std::vector<igvm_memory_map_entry> entries = {Entry(0, 0x100), Entry(0x200, 0x100)};
  const struct {
    GuestPageRange hole;
    std::vector<GuestPageRange> left;
  } kCases[] = {
      {Pages(0x10, 0x10), {Pages(0, 0x10), Pages(0x20, 0xe0), Pages(0x200, 0x100)}},
      {Pages(0, 0x10), {Pages(0x10, 0xf0), Pages(0x200, 0x100)}},
      {Pages(0xf0, 0x120), {Pages(0, 0xf0), Pages(0x210, 0xf0)}},
      {Pages(0, 0x100), {Pages(0x200, 0x100)}},
      {Pages(0x100, 0x100), {Pages(0, 0x100), Pages(0x200, 0x100)}},
      {Pages(0, 0x1000), {}},
  };
  for (const auto& test : kCases) {
    MemoryMap map;
    ASSERT_TRUE(map.Read(entries, kLimit).ok());
    ASSERT_TRUE(map.Exclude(test.hole).ok());
    EXPECT_EQ(std::vector<GuestPageRange>(map.ranges().begin(), map.ranges().end()), test.left);
  }
}

}  // namespace
}  // namespace nsgx::snp
