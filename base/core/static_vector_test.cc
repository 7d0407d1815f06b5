// SPDX-License-Identifier: Apache-2.0
#include "base/core/static_vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace nsgx {
namespace {

constinit StaticVector<int, 4> constant_vector;
static_assert(std::is_trivially_destructible_v<StaticVector<int, 4>>);

TEST(StaticVector, FillsUpAndThenRefuses) {
  StaticVector<int, 3> vector;
  EXPECT_TRUE(vector.is_empty());
  EXPECT_TRUE(vector.PushBack(1).ok());
  EXPECT_TRUE(vector.PushBack(2).ok());
  EXPECT_EQ(*vector.EmplaceBack(3).value(), 3);
  EXPECT_TRUE(vector.is_full());
  EXPECT_EQ(vector.PushBack(4).error(), Status::kNoMemory);
  EXPECT_EQ(vector.size(), 3u);
  EXPECT_EQ(vector.Front(), 1);
  EXPECT_EQ(vector.Back(), 3);
  EXPECT_TRUE(std::ranges::equal(vector, std::vector{1, 2, 3}));
  EXPECT_EQ(vector.span().size(), 3u);
}

TEST(StaticVector, OwnsItsElements) {
  auto shared = std::make_shared<std::string>("x");
  {
    StaticVector<std::shared_ptr<std::string>, 4> vector;
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(vector.PushBack(shared).ok());
    }
    EXPECT_EQ(shared.use_count(), 5);
    EXPECT_FALSE(vector.PushBack(shared).ok());
    EXPECT_EQ(shared.use_count(), 5);
    vector.PopBack();
    EXPECT_EQ(shared.use_count(), 4);
    vector.RemoveAt(0);
    EXPECT_EQ(shared.use_count(), 3);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(StaticVector, RemoveKeepsOrder) {
  StaticVector<std::unique_ptr<int>, 4> vector;
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(vector.EmplaceBack(std::make_unique<int>(i)).ok());
  }
  vector.RemoveAt(1);
  vector.RemoveAt(2);
  ASSERT_EQ(vector.size(), 2u);
  EXPECT_EQ(*vector[0], 0);
  EXPECT_EQ(*vector[1], 2);
}

TEST(StaticVectorDeathTest, IndexOutside) {
  EXPECT_DEATH(static_cast<void>(constant_vector[0]), "index < size_");
  EXPECT_DEATH(constant_vector.PopBack(), "size_ != 0");
  EXPECT_DEATH(static_cast<void>(constant_vector.Back()), "check failed");
}

}  // namespace
}  // namespace nsgx
