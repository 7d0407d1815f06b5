// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/radix_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "libos/vfs/testing/fake_heap.h"

namespace nsgx::libos {
namespace {

class RadixTreeTest : public ::testing::Test {
 protected:
  void TearDown() override {
    testing::StopFailingAllocations();
    while (true) {
      const auto entry = tree_.FindNext(0);
      if (entry.value == nullptr) {
        break;
      }
      EXPECT_EQ(tree_.Erase(entry.key), entry.value);
    }
    EXPECT_TRUE(tree_.is_empty());
    EXPECT_EQ(testing::heap_use().objects, 0u);
  }

  RadixTree<int> tree_;
};

TEST_F(RadixTreeTest, ASingleObjectAtZeroNeedsNoMemory) {
  int value = 0;
  testing::FailAllocationsAfter(0);
  ASSERT_TRUE(tree_.Insert(0, value));
  EXPECT_EQ(tree_.Find(0), &value);
  EXPECT_EQ(tree_.Find(1), nullptr);
  EXPECT_EQ(tree_.FindNext(0).value, &value);
  EXPECT_EQ(tree_.FindNext(1).value, nullptr);
  EXPECT_EQ(tree_.FindGap(0), 1u);
  EXPECT_EQ(tree_.FindGap(5), 5u);
}

TEST_F(RadixTreeTest, NumbersMayBeAsLargeAsTheyCome) {
  int values[4];
  const uint64_t keys[] = {0, 1, uint64_t{1} << 40, ~uint64_t{0}};
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(tree_.Insert(keys[i], values[i]));
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(tree_.Find(keys[i]), &values[i]);
    EXPECT_EQ(tree_.FindNext(keys[i]).key, keys[i]);
  }
  EXPECT_EQ(tree_.FindNext(2).key, keys[2]);
  EXPECT_EQ(tree_.FindNext(keys[2] + 1).key, keys[3]);
}

TEST_F(RadixTreeTest, WithoutMemoryNothingChanges) {
  std::vector<int> values(3000);
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(tree_.Insert(i * 7, values[i]));
  }
  const size_t before = testing::heap_use().objects;
  // Needs a chain of nodes; each number of them that may be had is too few but the last.
  const uint64_t far = uint64_t{1} << 50;
  uint64_t allowed = 0;
  for (;; ++allowed) {
    testing::FailAllocationsAfter(allowed);
    if (tree_.Insert(far, values[2999])) {
      break;
    }
    testing::StopFailingAllocations();
    EXPECT_EQ(tree_.Find(far), nullptr);
    for (uint64_t i = 0; i < 100; ++i) {
      ASSERT_EQ(tree_.Find(i * 7), &values[i]);
    }
  }
  EXPECT_GT(allowed, 5u);
  testing::StopFailingAllocations();
  EXPECT_EQ(tree_.Erase(far), &values[2999]);
  // What was grown on the way is gone too.
  EXPECT_EQ(testing::heap_use().objects, before);
}

TEST_F(RadixTreeTest, BehavesAsAMap) {
  std::mt19937_64 random(7);
  std::map<uint64_t, int*> model;
  std::vector<int> values(4096);
  // Numbers that lie together, with gaps, and a few far away.
  const auto key = [&]() -> uint64_t {
    const uint64_t k = random() % 600;
    return random() % 10 == 0 ? k << 20 : k;
  };
  for (int step = 0; step < 20000; ++step) {
    const uint64_t k = key();
    switch (random() % 6) {
      case 0:
      case 1:
        if (!model.contains(k)) {
          int& value = values[random() % values.size()];
          ASSERT_TRUE(tree_.Insert(k, value));
          model[k] = &value;
        }
        break;
      case 2: {
        const auto it = model.find(k);
        ASSERT_EQ(tree_.Erase(k), it == model.end() ? nullptr : it->second);
        model.erase(k);
        break;
      }
      case 3: {
        const auto it = model.lower_bound(k);
        const auto found = tree_.FindNext(k);
        ASSERT_EQ(found.value, it == model.end() ? nullptr : it->second);
        if (found.value != nullptr) {
          ASSERT_EQ(found.key, it->first);
        }
        break;
      }
      case 4: {
        uint64_t gap = k;
        while (model.contains(gap)) {
          ++gap;
        }
        ASSERT_EQ(tree_.FindGap(k), gap);
        break;
      }
      default: {
        int* many[100];
        tree_.FindMany(k, many);
        for (uint64_t i = 0; i < 100; ++i) {
          const auto it = model.find(k + i);
          ASSERT_EQ(many[i], it == model.end() ? nullptr : it->second);
        }
        if (model.contains(k)) {
          tree_.Replace(k, values[0]);
          model[k] = values.data();
        }
        break;
      }
    }
  }
}

}  // namespace
}  // namespace nsgx::libos
