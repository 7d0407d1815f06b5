// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/digest_store.h"

#include <gtest/gtest.h>

#include "base/core/bytes.h"
#include "vmpl-switch/seh/fake_machine.h"

namespace nsgx::seh {
namespace {

TEST(DigestStore, KeepsDigestsWhereTheyWerePut) {
  FakeMachine machine;
  DigestStore store(machine);
  const std::pair<uint64_t, uint64_t> runs[] = {{5, 1}, {100, 300}, {65'530, 20}, {33'554'431, 1}};
  for (const auto& [first, count] : runs) {
    ASSERT_TRUE(store.Reserve(first, count).ok());
    for (uint64_t page = first; page < first + count; ++page) {
      store.Slice(page, 1)[0] = Sha256::Hash(BytesOf(page));
    }
  }
  for (const auto& [first, count] : runs) {
    uint64_t page = first;
    while (page < first + count) {
      const std::span<Sha256::Digest> slice = store.Slice(page, first + count - page);
      ASSERT_FALSE(slice.empty());
      for (const Sha256::Digest& digest : slice) {
        EXPECT_EQ(digest, Sha256::Hash(BytesOf(page)));
        ++page;
      }
    }
    EXPECT_EQ(page, first + count);
  }
  store.Clear();
  EXPECT_EQ(machine.table_page_count(), 0u);
  store.Clear();
}

TEST(DigestStore, RefusesPagesBehindItsReach) {
  FakeMachine machine;
  DigestStore store(machine);
  EXPECT_EQ(ToStatus(store.Reserve(uint64_t{1} << 25, 1)), Status::kOutOfRange);
  EXPECT_EQ(ToStatus(store.Reserve((uint64_t{1} << 25) - 1, 2)), Status::kOutOfRange);
  EXPECT_EQ(ToStatus(store.Reserve(1, ~uint64_t{0})), Status::kOutOfRange);
  EXPECT_TRUE(store.Reserve(0, 0).ok());
  EXPECT_EQ(machine.table_page_count(), 0u);
}

TEST(DigestStore, LosesNothingWhenThereIsNoMemory) {
  FakeMachine machine;
  DigestStore store(machine);
  ASSERT_TRUE(store.Reserve(0, 1).ok());
  store.Slice(0, 1)[0] = Sha256::Hash({});
  for (uint32_t n = 1;; ++n) {
    machine.FailCall(n);
    const Result<void> result = store.Reserve(65'000, 1000);
    machine.FailCall(0);
    EXPECT_EQ(store.Slice(0, 1)[0], Sha256::Hash({}));
    if (result.ok()) {
      break;
    }
    EXPECT_EQ(result.error(), Status::kNoMemory);
    ASSERT_LT(n, 100u);
  }
  store.Clear();
  EXPECT_EQ(machine.table_page_count(), 0u);
}

}  // namespace
}  // namespace nsgx::seh
