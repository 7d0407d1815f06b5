// SPDX-License-Identifier: Apache-2.0
#include "base/core/bitmap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace nsgx {
namespace {

constinit Bitmap<70> constant_bitmap;

TEST(Bitmap, StartsClear) {
  BitmapView view = constant_bitmap.view();
  EXPECT_EQ(view.size(), 70u);
  EXPECT_EQ(view.CountSet(), 0u);
  EXPECT_FALSE(view.FindSet().ok());
  EXPECT_EQ(view.FindClear(69).value(), 69u);
  EXPECT_FALSE(view.FindClear(70).ok());
}

TEST(BitmapView, BitsBehindTheEndDoNotCount) {
  std::vector<uint64_t> words(2, ~uint64_t{0});
  BitmapView view(words, 70);
  EXPECT_EQ(view.CountSet(), 70u);
  view.ClearRange(0, 70);
  EXPECT_FALSE(view.FindSet().ok());
  EXPECT_EQ(words[1], ~uint64_t{0} << 6);
  EXPECT_EQ(BitmapView::WordsFor(0), 0u);
  EXPECT_EQ(BitmapView::WordsFor(64), 1u);
  EXPECT_EQ(BitmapView::WordsFor(65), 2u);
}

// Compares every operation with the obvious one over a vector of bools.
TEST(BitmapView, AgreesWithAModel) {
  std::mt19937 random(1);
  for (size_t size : {1u, 63u, 64u, 65u, 128u, 200u}) {
    std::vector<uint64_t> words(BitmapView::WordsFor(size));
    BitmapView view(words, size);
    std::vector<bool> model(size);
    for (int step = 0; step < 2000; ++step) {
      const size_t index = random() % size;
      const size_t count = random() % (size - index + 1);
      switch (random() % 4) {
        case 0:
          view.Set(index);
          model[index] = true;
          break;
        case 1:
          view.Clear(index);
          model[index] = false;
          break;
        case 2:
          view.SetRange(index, count % 8);
          std::fill_n(model.begin() + static_cast<long>(index), count % 8, true);
          break;
        default:
          view.ClearRange(index, count);
          std::fill_n(model.begin() + static_cast<long>(index), count, false);
          break;
      }
      auto find = [&](bool value, size_t run, size_t from) {
        for (size_t start = from; start + run <= size; ++start) {
          bool all = true;
          for (size_t i = start; i < start + run; ++i) {
            all &= model[i] == value;
          }
          if (all) {
            return start;
          }
        }
        return size_t{~size_t{0}};
      };
      constexpr size_t kNone = ~size_t{0};
      ASSERT_EQ(view.Test(index), model[index]);
      ASSERT_EQ(view.FindSet(index).value_or(kNone), find(true, 1, index));
      ASSERT_EQ(view.FindClear(index).value_or(kNone), find(false, 1, index));
      ASSERT_EQ(view.FindClearRun(count, index).value_or(kNone), find(false, count, index));
      ASSERT_EQ(view.CountSet(), static_cast<size_t>(std::count(model.begin(), model.end(), true)));
    }
  }
}

TEST(BitmapView, HugeRunsAreNotFound) {
  BitmapView view = constant_bitmap.view();
  EXPECT_FALSE(view.FindClearRun(~size_t{0}).ok());
  EXPECT_FALSE(view.FindClearRun(~size_t{0}, 69).ok());
  EXPECT_FALSE(view.FindClearRun(1, ~size_t{0}).ok());
  EXPECT_EQ(view.FindClearRun(0, 70).value(), 70u);
}

TEST(BitmapViewDeathTest, IndexOutside) {
  BitmapView view = constant_bitmap.view();
  EXPECT_DEATH(view.Set(70), "check failed");
  EXPECT_DEATH(view.SetRange(69, 2), "check failed");
  EXPECT_DEATH(view.ClearRange(1, ~size_t{0}), "check failed");
}

}  // namespace
}  // namespace nsgx
