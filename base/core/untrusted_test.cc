// SPDX-License-Identifier: Apache-2.0
#include "base/core/untrusted.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <thread>
#include <vector>

namespace nsgx {
namespace {

struct Pair {
  uint64_t a;
  uint64_t b;
};
enum class Kind : uint32_t { kZero, kOne };

struct Window {
  Untrusted<uint32_t> count;
  Untrusted<Kind> kind;
  Untrusted<Pair> pair;
  Untrusted<uint8_t> bytes[4];
};
static_assert(sizeof(Window) == 32 && std::is_standard_layout_v<Window>);
static_assert(!std::convertible_to<Untrusted<uint32_t>, uint32_t>);
static_assert(!std::copy_constructible<Untrusted<uint32_t>>);

TEST(Untrusted, CopiesInAndOut) {
  Window window{};
  window.count.CopyOut(7);
  window.kind.CopyOut(Kind::kOne);
  window.pair.CopyOut({.a = 1, .b = 2});
  window.bytes[3].CopyOut(0xff);
  EXPECT_EQ(window.count.CopyIn(), 7u);
  EXPECT_EQ(window.kind.CopyIn(), Kind::kOne);
  EXPECT_EQ(window.pair.CopyIn().b, 2u);
  EXPECT_EQ(window.bytes[3].CopyIn(), 0xff);
  EXPECT_EQ(window.count.Exchange(9), 7u);
  window.count.StoreRelease(10);
  EXPECT_EQ(window.count.LoadAcquire(), 10u);
}

TEST(Untrusted, OnlyAValidatedCopyComesBack) {
  Window window{};
  window.count.CopyOut(7);
  auto below_ten = [](uint32_t value) { return value < 10; };
  EXPECT_EQ(window.count.CopyIn(below_ten).value(), 7u);
  window.count.CopyOut(10);
  EXPECT_EQ(window.count.CopyIn(below_ten).error(), Status::kHostFault);
}

// A peer flips a value between one that is legal and one that is not. A validated copy must be
// legal each time; with a second read behind the check it sometimes would not be.
TEST(Untrusted, NoDoubleFetch) {
  Untrusted<uint32_t> value;
  value.CopyOut(1);
  std::atomic<bool> stop = false;
  std::thread peer([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      value.CopyOut(1);
      value.CopyOut(1000);
    }
  });
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    Result<uint32_t> copy = value.CopyIn([](uint32_t v) { return v < 10; });
    if (copy.ok()) {
      ++accepted;
      ASSERT_EQ(copy.value(), 1u);
    }
  }
  stop = true;
  peer.join();
  EXPECT_GT(accepted, 0);
}

TEST(UntrustedBytes, BoundsAreChecked) {
  for (size_t size = 0; size <= 8; ++size) {
    std::vector<std::byte> memory(size, std::byte{0x11});
    memory.shrink_to_fit();
    const UntrustedBytes bytes(memory.data(), memory.size());
    for (uint64_t offset = 0; offset <= 9; ++offset) {
      for (size_t count = 0; count <= 9; ++count) {
        std::vector<std::byte> ours(count);
        const bool fits = offset + count <= size;
        EXPECT_EQ(bytes.CopyIn(offset, ours).ok(), fits);
        EXPECT_EQ(bytes.CopyOut(offset, ours).ok(), fits);
        EXPECT_EQ(bytes.Slice(offset, count).ok(), fits);
      }
    }
    EXPECT_EQ(bytes.Slice(UINT64_MAX, 1).error(), Status::kOutOfRange);
    EXPECT_EQ(bytes.Slice(1, UINT64_MAX).error(), Status::kOutOfRange);
    EXPECT_EQ(bytes.CopyInObject<uint32_t>(UINT64_MAX - 2).error(), Status::kOutOfRange);
  }
}

TEST(UntrustedBytes, CopiesObjects) {
  std::array<std::byte, 24> memory{};
  const UntrustedBytes bytes(memory.data(), memory.size());
  ASSERT_TRUE(bytes.CopyOutObject(3, Pair{.a = 5, .b = 6}).ok());
  EXPECT_EQ(bytes.CopyInObject<Pair>(3).value().a, 5u);
  EXPECT_EQ(bytes.Slice(3, 16).value().CopyInObject<Pair>(0).value().b, 6u);
  EXPECT_EQ(bytes.CopyInObject<Pair>(9).error(), Status::kOutOfRange);
  bytes.Slice(3, 16).value().Clear();
  EXPECT_EQ(bytes.CopyInObject<Pair>(3).value().b, 0u);
}

}  // namespace
}  // namespace nsgx
