// SPDX-License-Identifier: Apache-2.0
#include "base/core/align.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace nsgx {
namespace {

static_assert(AlignDown<uint64_t>(0x1fff, 0x1000) == 0x1000);
static_assert(AlignUp<uint64_t>(0x1001, 0x1000) == 0x2000);

TEST(Align, Edges) {
  EXPECT_TRUE(IsAligned<uint64_t>(0, 4096));
  EXPECT_TRUE(IsAligned<uint64_t>(8192, 4096));
  EXPECT_FALSE(IsAligned<uint64_t>(8191, 4096));
  EXPECT_TRUE(IsAligned<uint64_t>(7, 1));
  EXPECT_EQ(AlignDown<uint32_t>(UINT32_MAX, 16), UINT32_MAX - 15);
  EXPECT_EQ(AlignUp<uint64_t>(0, 16), 0u);
  EXPECT_EQ(AlignUp<uint64_t>(16, 16), 16u);
  EXPECT_EQ(AlignUp<uint64_t>(1, 16), 16u);
}

TEST(Align, UpRefusesWhatDoesNotFit) {
  EXPECT_EQ(CheckedAlignUp<uint64_t>(UINT64_MAX - 15, 16).value(), UINT64_MAX - 15);
  EXPECT_EQ(CheckedAlignUp<uint64_t>(UINT64_MAX - 14, 16).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedAlignUp<uint64_t>(UINT64_MAX, 4096).error(), Status::kOutOfRange);
  // Types narrower than int are not widened by accident.
  EXPECT_EQ(CheckedAlignUp<uint8_t>(250, 16).error(), Status::kOutOfRange);
  EXPECT_EQ(CheckedAlignUp<uint16_t>(0xff01, 0x100).error(), Status::kOutOfRange);
}

TEST(AlignDeathTest, AlignmentMustBeAPowerOfTwo) {
  EXPECT_DEATH(AlignDown<uint64_t>(10, 3), "has_single_bit");
  EXPECT_DEATH(IsAligned<uint64_t>(10, 0), "has_single_bit");
}

}  // namespace
}  // namespace nsgx
