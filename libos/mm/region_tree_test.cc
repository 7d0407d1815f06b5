// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/region_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace nsgx::libos {
namespace {

class RegionTreeTest : public ::testing::Test {
 protected:
  Region* Add(uint64_t begin, uint64_t end) {
    auto region = std::make_unique<Region>();
    region->begin = begin;
    region->end = end;
    tree_.Insert(*region);
    Region* raw = region.get();
    regions_[begin] = std::move(region);
    return raw;
  }
  void Drop(uint64_t begin) {
    tree_.Remove(*regions_[begin]);
    regions_.erase(begin);
  }

  // The lowest hole, by walking over all.
  RegionTree::Hole SlowHole(uint64_t size, uint64_t low, uint64_t high) const {
    uint64_t from = low;
    for (const auto& [begin, region] : regions_) {
      if (region->end <= from) {
        continue;
      }
      const uint64_t hole_end = std::min(begin, high);
      if (from < hole_end && hole_end - from >= size) {
        return {from, hole_end};
      }
      from = std::max(from, region->end);
    }
    return from < high && high - from >= size ? RegionTree::Hole{from, high}
                                              : RegionTree::Hole{0, 0};
  }

  RegionTree tree_;
  std::map<uint64_t, std::unique_ptr<Region>> regions_;
};

TEST_F(RegionTreeTest, EmptyTreeIsOneHole) {
  EXPECT_TRUE(tree_.is_empty());
  EXPECT_EQ(tree_.Find(5), nullptr);
  EXPECT_EQ(tree_.FirstEndingAfter(0), nullptr);
  EXPECT_EQ(tree_.LastBeginningBefore(~uint64_t{0}), nullptr);
  EXPECT_EQ(tree_.end(), 0u);
  const RegionTree::Hole hole = tree_.FindHole(10, 100, 200);
  EXPECT_EQ(hole.begin, 100u);
  EXPECT_EQ(hole.end, 200u);
  EXPECT_EQ(tree_.FindHole(101, 100, 200).end, 0u);
}

TEST_F(RegionTreeTest, FindsByAddress) {
  Region* first = Add(10, 20);
  Region* second = Add(20, 30);
  Region* third = Add(50, 60);
  EXPECT_EQ(tree_.Find(9), nullptr);
  EXPECT_EQ(tree_.Find(10), first);
  EXPECT_EQ(tree_.Find(19), first);
  EXPECT_EQ(tree_.Find(20), second);
  EXPECT_EQ(tree_.Find(30), nullptr);
  EXPECT_EQ(tree_.FirstEndingAfter(30), third);
  EXPECT_EQ(tree_.FirstEndingAfter(60), nullptr);
  EXPECT_EQ(tree_.LastBeginningBefore(20), first);
  EXPECT_EQ(tree_.LastBeginningBefore(10), nullptr);
  EXPECT_EQ(tree_.end(), 60u);
}

TEST_F(RegionTreeTest, AgreesWithAMap) {
  constexpr uint64_t kSpace = 4000;
  std::mt19937 random(7);
  for (int step = 0; step < 30'000; ++step) {
    const uint64_t size = 1 + random() % 30;
    const uint64_t low = random() % kSpace;
    const uint64_t high = low + random() % (kSpace - low + 1);
    const RegionTree::Hole expected = SlowHole(size, low, high);
    const RegionTree::Hole hole = tree_.FindHole(size, low, high);
    ASSERT_EQ(hole.begin, expected.begin) << step;
    ASSERT_EQ(hole.end, expected.end) << step;

    const uint32_t choice = random() % 10;
    if (choice < 6 && hole.end != 0) {
      Add(hole.begin, hole.begin + size);
    } else if (choice < 9 && !regions_.empty()) {
      auto it = regions_.lower_bound(random() % kSpace);
      Drop(it == regions_.end() ? regions_.begin()->first : it->first);
    } else if (!regions_.empty()) {
      // Grow or shrink at the end, as far as the next region lets it.
      auto it = regions_.lower_bound(random() % kSpace);
      if (it == regions_.end()) {
        it = regions_.begin();
      }
      const auto next = std::next(it);
      const uint64_t limit = next == regions_.end() ? kSpace + 100 : next->first;
      Region& region = *it->second;
      const uint64_t end = region.begin + 1 + random() % (limit - region.begin);
      tree_.Resize(region, region.begin, end);
    }
    const uint64_t address = random() % kSpace;
    auto above = regions_.upper_bound(address);
    const Region* holder = nullptr;
    if (above != regions_.begin()) {
      const Region* candidate = std::prev(above)->second.get();
      holder = candidate->end > address ? candidate : nullptr;
    }
    ASSERT_EQ(tree_.Find(address), holder);
  }
}

}  // namespace
}  // namespace nsgx::libos
