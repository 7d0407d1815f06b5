// SPDX-License-Identifier: Apache-2.0
#include "base/core/checked.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace nsgx {
namespace {

// Compares each operation with the exact result in a wider type, for every pair of 8-bit values.
template <typename T>
void CompareWithWideArithmetic() {
  constexpr int kMin = std::numeric_limits<T>::min();
  constexpr int kMax = std::numeric_limits<T>::max();
  auto expect = [](const Result<T>& result, int exact) {
    if (exact < kMin || exact > kMax) {
      ASSERT_FALSE(result.ok());
      ASSERT_EQ(result.error(), Status::kOutOfRange);
    } else {
      ASSERT_TRUE(result.ok());
      ASSERT_EQ(result.value(), exact);
    }
  };
  for (int a = kMin; a <= kMax; ++a) {
    for (int b = kMin; b <= kMax; ++b) {
      expect(CheckedAdd(static_cast<T>(a), static_cast<T>(b)), a + b);
      expect(CheckedSub(static_cast<T>(a), static_cast<T>(b)), a - b);
      expect(CheckedMul(static_cast<T>(a), static_cast<T>(b)), a * b);
    }
  }
}

TEST(Checked, AllPairsUnsigned) { CompareWithWideArithmetic<uint8_t>(); }
TEST(Checked, AllPairsSigned) { CompareWithWideArithmetic<int8_t>(); }

TEST(Checked, WideEdges) {
  EXPECT_EQ(CheckedAdd(UINT64_MAX, uint64_t{1}).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedAdd(UINT64_MAX - 1, uint64_t{1}).value(), UINT64_MAX);
  EXPECT_EQ(CheckedSub(uint64_t{0}, uint64_t{1}).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedMul(uint64_t{1} << 32, uint64_t{1} << 32).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedAdd(INT64_MAX, int64_t{1}).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedSub(INT64_MIN, int64_t{1}).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedMul(INT64_MIN, int64_t{-1}).error(), Status::kOutOfRange);
}

TEST(Checked, Cast) {
  EXPECT_EQ(CheckedCast<uint32_t>(int64_t{-1}).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedCast<uint32_t>(uint64_t{1} << 32).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedCast<uint32_t>((uint64_t{1} << 32) - 1).value(), UINT32_MAX);
  EXPECT_EQ(CheckedCast<int64_t>(UINT64_MAX).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedCast<int64_t>(uint64_t{INT64_MAX}).value(), INT64_MAX);
  EXPECT_EQ(CheckedCast<uint64_t>(int32_t{-5}).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedCast<int8_t>(-128).value(), -128);
}

}  // namespace
}  // namespace nsgx
