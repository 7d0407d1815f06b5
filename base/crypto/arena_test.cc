// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace nsgx {
namespace {

constexpr size_t kSize = 4096;

class ArenaTest : public testing::Test {
 protected:
  bool IsAllZero() const {
    return std::ranges::all_of(memory_, [](std::byte byte) { return byte == std::byte{0}; });
  }

  alignas(16) std::array<std::byte, kSize> memory_{};
  Arena arena_{memory_};
};

TEST_F(ArenaTest, GivesAlignedZeros) {
  for (size_t size : {0u, 1u, 15u, 16u, 17u, 100u}) {
    auto* block = static_cast<unsigned char*>(arena_.Allocate(1, size));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % Arena::kAlignment, 0u);
    for (size_t i = 0; i < size; ++i) {
      EXPECT_EQ(block[i], 0);
    }
    std::memset(block, 0xff, size);
    arena_.Free(block);
  }
  EXPECT_EQ(arena_.used(), 0u);
  EXPECT_GE(arena_.peak(), 100u);
}

TEST_F(ArenaTest, WhatIsGivenBackIsOverwritten) {
  void* block = arena_.Allocate(10, 10);
  std::memset(block, 0x5e, 100);
  arena_.Free(block);
  EXPECT_TRUE(IsAllZero());
}

TEST_F(ArenaTest, FullIsAnAnswer) {
  EXPECT_EQ(arena_.Allocate(1, kSize), nullptr);
  EXPECT_EQ(arena_.Allocate(1, kSize - 15), nullptr);
  void* all = arena_.Allocate(1, kSize - 16);
  EXPECT_NE(all, nullptr);
  EXPECT_EQ(arena_.Allocate(1, 0), nullptr);
  arena_.Free(all);
  EXPECT_NE(all = arena_.Allocate(1, kSize - 16), nullptr);
  arena_.Free(all);
}

TEST_F(ArenaTest, OverflowingProductsAreRefused) {
  EXPECT_EQ(arena_.Allocate(SIZE_MAX, 2), nullptr);
  EXPECT_EQ(arena_.Allocate(SIZE_MAX / 2 + 1, 2), nullptr);
  EXPECT_EQ(arena_.Allocate(1, SIZE_MAX), nullptr);
  EXPECT_EQ(arena_.used(), 0u);
}

TEST_F(ArenaTest, NullIsIgnored) { arena_.Free(nullptr); }

// Random use against a model that knows which bytes belong to whom.
TEST_F(ArenaTest, BlocksNeverOverlapAndEverythingComesBack) {
  struct Owned {
    unsigned char* bytes;
    size_t size;
    unsigned char mark;
  };
  std::mt19937 random(1);
  std::vector<Owned> blocks;
  int refused = 0;
  for (int step = 0; step < 20000; ++step) {
    if (blocks.empty() || random() % 2 == 0) {
      const size_t size = random() % 400;
      auto* bytes = static_cast<unsigned char*>(arena_.Allocate(1, size));
      if (bytes == nullptr) {
        ++refused;
        continue;
      }
      ASSERT_TRUE(std::all_of(bytes, bytes + size, [](unsigned char b) { return b == 0; }));
      const auto mark = static_cast<unsigned char>(step | 1);
      std::memset(bytes, mark, size);
      blocks.push_back({bytes, size, mark});
    } else {
      const size_t index = random() % blocks.size();
      const Owned block = blocks[index];
      blocks.erase(blocks.begin() + static_cast<long>(index));
      ASSERT_TRUE(std::all_of(block.bytes, block.bytes + block.size,
                              [&](unsigned char b) { return b == block.mark; }));
      arena_.Free(block.bytes);
    }
  }
  EXPECT_GT(refused, 0);
  for (const Owned& block : blocks) {
    arena_.Free(block.bytes);
  }
  EXPECT_EQ(arena_.used(), 0u);
  EXPECT_TRUE(IsAllZero());
}

TEST_F(ArenaTest, SeveralThreads) {
  constexpr unsigned kThreads = 4;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (unsigned seed = 0; seed < kThreads; ++seed) {
    threads.emplace_back([this, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 5000; ++i) {
        const size_t size = random() % 100;
        auto* bytes = static_cast<unsigned char*>(arena_.Allocate(size, 1));
        if (bytes != nullptr) {
          std::memset(bytes, static_cast<int>(seed) + 1, size);
          arena_.Free(bytes);
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(arena_.used(), 0u);
  EXPECT_TRUE(IsAllZero());
}

using ArenaDeathTest = ArenaTest;

TEST_F(ArenaDeathTest, FreeingWhatIsNotOursIsOurBug) {
  auto* block = static_cast<std::byte*>(arena_.Allocate(1, 64));
  EXPECT_DEATH(arena_.Free(block + 1), "check failed");
  EXPECT_DEATH(arena_.Free(block + 16), "check failed");
  EXPECT_DEATH(arena_.Free(memory_.data()), "check failed");
  EXPECT_DEATH(arena_.Free(memory_.data() + kSize), "check failed");
  arena_.Free(block);
  EXPECT_DEATH(arena_.Free(block), "check failed");
}

}  // namespace
}  // namespace nsgx
