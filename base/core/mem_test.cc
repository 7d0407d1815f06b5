// SPDX-License-Identifier: Apache-2.0
// The bodies that mem.cc gives the C names; under those names a host program has its libc's.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "base/core/mem_raw.h"

namespace nsgx {
namespace {

std::vector<unsigned char> Pattern(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<unsigned char> bytes(size);
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(random());
  }
  return bytes;
}

TEST(Mem, CopyEverySmallSize) {
  for (size_t size = 0; size <= 80; ++size) {
    const std::vector<unsigned char> source = Pattern(size, 1);
    std::vector<unsigned char> target(size);
    EXPECT_EQ(MemCopy(target.data(), source.data(), size), target.data());
    EXPECT_EQ(target, source) << size;
  }
}

TEST(Mem, CopyLarge) {
  const std::vector<unsigned char> source = Pattern(1 << 20, 2);
  std::vector<unsigned char> target(source.size());
  MemCopy(target.data(), source.data(), source.size());
  EXPECT_EQ(target, source);
}

TEST(Mem, MoveEveryOverlap) {
  constexpr size_t kArea = 96;
  for (size_t size = 0; size <= 48; ++size) {
    for (size_t from = 0; from + size <= kArea; from += 3) {
      for (size_t to = 0; to + size <= kArea; ++to) {
        std::vector<unsigned char> area = Pattern(kArea, 3);
        std::vector<unsigned char> expected = area;
        std::memmove(expected.data() + to, expected.data() + from, size);
        EXPECT_EQ(MemMove(area.data() + to, area.data() + from, size), area.data() + to);
        ASSERT_EQ(area, expected) << size << " from " << from << " to " << to;
      }
    }
  }
}

TEST(Mem, Set) {
  for (size_t size = 0; size <= 40; ++size) {
    std::vector<unsigned char> bytes = Pattern(size + 2, 4);
    const std::vector<unsigned char> before = bytes;
    EXPECT_EQ(MemSet(bytes.data() + 1, 0x1a5, size), bytes.data() + 1);
    EXPECT_EQ(bytes.front(), before.front());
    EXPECT_EQ(bytes.back(), before.back());
    for (size_t i = 1; i <= size; ++i) {
      EXPECT_EQ(bytes[i], 0xa5);
    }
  }
}

int Sign(int value) { return (value > 0) - (value < 0); }

TEST(Mem, CompareFindsTheFirstDifference) {
  for (size_t size = 0; size <= 40; ++size) {
    std::vector<unsigned char> left = Pattern(size, 5);
    EXPECT_EQ(MemCompare(left.data(), left.data(), size), 0);
    for (size_t i = 0; i < size; ++i) {
      // A later byte that differs the other way must not matter.
      std::vector<unsigned char> right = left;
      right[i] = static_cast<unsigned char>(right[i] + 1);
      if (i + 1 < size) {
        right[size - 1] = static_cast<unsigned char>(right[size - 1] - 1);
      }
      EXPECT_EQ(Sign(MemCompare(left.data(), right.data(), size)),
                Sign(std::memcmp(left.data(), right.data(), size)));
      EXPECT_EQ(Sign(MemCompare(right.data(), left.data(), size)),
                Sign(std::memcmp(right.data(), left.data(), size)));
    }
  }
}

TEST(Mem, TextSize) {
  EXPECT_EQ(MemTextSize(""), 0u);
  EXPECT_EQ(MemTextSize("abc"), 3u);
  EXPECT_EQ(MemTextSize("ab\0c"), 2u);
}

}  // namespace
}  // namespace nsgx
