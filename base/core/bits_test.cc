// SPDX-License-Identifier: Apache-2.0
#include "base/core/bits.h"

#include <gtest/gtest.h>

namespace nsgx {
namespace {

static_assert(BitMask(63, 0) == ~uint64_t{0});
static_assert(BitMask(0, 0) == 1);
static_assert(BitMask(51, 12) == 0x000ffffffffff000);

TEST(Bits, ExtractAndInsert) {
  EXPECT_EQ(Bit(63), uint64_t{1} << 63);
  EXPECT_EQ(ExtractBits(0xabcd, 11, 4), 0xbcu);
  EXPECT_EQ(ExtractBits(~uint64_t{0}, 63, 63), 1u);
  EXPECT_EQ(InsertBits(0xffff, 11, 4, 0), 0xf00fu);
  EXPECT_EQ(InsertBits(0, 63, 0, ~uint64_t{0}), ~uint64_t{0});
}

TEST(BitsDeathTest, FieldsMustFit) {
  EXPECT_DEATH(InsertBits(0, 3, 0, 16), "check failed");
  EXPECT_DEATH(BitMask(3, 4), "check failed");
  EXPECT_DEATH(BitMask(64, 4), "check failed");
  EXPECT_DEATH(Bit(64), "check failed");
}

}  // namespace
}  // namespace nsgx
