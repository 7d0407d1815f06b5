// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/ownership_table.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "vmpl-switch/seh/fake_machine.h"

namespace nsgx::seh {
namespace {

constexpr uint64_t kLeaf = 4096;          // pages
constexpr uint64_t kMiddle = 4096 * 512;  // pages

constexpr PageEntry kFree;
constexpr PageEntry kRegular(PageState::kRegular, Permissions::kReadWrite);
constexpr PageEntry kImage(PageState::kImage, Permissions::kReadExecute);

// A table of its own on a machine of its own.
class OwnershipTableTest : public testing::Test {
 protected:
  ~OwnershipTableTest() override { table_.Destroy(); }

  void PrepareOrDie(PageRun run) {
    const uint32_t missing = table_.MissingSpares(run);
    ASSERT_LE(missing, OwnershipTable::kMaxSpareCount);
    for (uint32_t i = 0; i < missing; ++i) {
      // One too few is not enough.
      ASSERT_EQ(ToStatus(table_.Prepare(run)), Status::kNoMemory);
      table_.AddSpare(machine_.AllocateTablePage().value());
    }
    ASSERT_TRUE(table_.Prepare(run).ok());
    ASSERT_EQ(table_.MissingSpares(run), 0u);
  }

  void Set(PageRun run, PageEntry entry) {
    PrepareOrDie(run);
    table_.Set(run, entry);
  }

  FakeMachine machine_;
  OwnershipTable table_{machine_};
};

TEST(PageEntry, KeepsItsParts) {
  for (PageState state : {PageState::kFree, PageState::kImage, PageState::kDeferred,
                          PageState::kSlot, PageState::kBoot, PageState::kRegular}) {
    for (Permissions permissions : {Permissions::kNone, Permissions::kRead, Permissions::kReadWrite,
                                    Permissions::kReadExecute}) {
      const PageEntry entry(state, permissions);
      for (PageEntry now : {entry, entry.WithBusy(true)}) {
        EXPECT_EQ(now.state(), state);
        EXPECT_EQ(now.permissions(), permissions);
      }
      EXPECT_FALSE(entry.is_busy());
      EXPECT_TRUE(entry.WithBusy(true).is_busy());
      EXPECT_EQ(entry.WithBusy(true).WithBusy(false), entry);
    }
  }
  EXPECT_EQ(PageEntry(), PageEntry(PageState::kFree, Permissions::kNone));
}

TEST_F(OwnershipTableTest, BeginsFree) {
  ASSERT_TRUE(table_.Create(3 * kMiddle + 512).ok());
  for (uint64_t page : {uint64_t{0}, kLeaf, kMiddle - 1, kMiddle, 3 * kMiddle + 511}) {
    EXPECT_EQ(table_.Get(page), kFree) << page;
  }
  EXPECT_EQ(machine_.table_page_count(), 1u);
}

TEST_F(OwnershipTableTest, NeedsAMachineWithMemory) {
  machine_.FailCall(1);
  EXPECT_EQ(ToStatus(table_.Create(kLeaf)), Status::kNoMemory);
  EXPECT_TRUE(table_.Create(kLeaf).ok());
}

TEST_F(OwnershipTableTest, TakesGigabytesInAFewPages) {
  ASSERT_TRUE(table_.Create(8 * kMiddle).ok());
  // 16 GiB that begin and end in the middle of everything.
  const PageRun run{kLeaf + 17, 2 * kMiddle};
  Set(run, kRegular);
  EXPECT_LE(machine_.table_page_count(), 1 + OwnershipTable::kMaxSpareCount);
  EXPECT_EQ(table_.Get(run.first - 1), kFree);
  EXPECT_EQ(table_.Get(run.first), kRegular);
  EXPECT_EQ(table_.Get(run.end() - 1), kRegular);
  EXPECT_EQ(table_.Get(run.end()), kFree);
  uint64_t visits = 0;
  ASSERT_TRUE(table_
                  .ForEachRun(run,
                              [&](PageRun, PageEntry entry) -> Result<void> {
                                EXPECT_EQ(entry, kRegular);
                                ++visits;
                                return {};
                              })
                  .ok());
  EXPECT_LE(visits, 1100u);
}

TEST_F(OwnershipTableTest, NeedsNoTablesForBlocksAndTheEndOfTheRange) {
  ASSERT_TRUE(table_.Create(kMiddle + 5 * kLeaf + 512).ok());
  EXPECT_EQ(table_.MissingSpares({0, kMiddle}), 0u);
  EXPECT_EQ(table_.MissingSpares({0, kMiddle + 5 * kLeaf + 512}), 0u);
  EXPECT_EQ(table_.MissingSpares({kMiddle, 5 * kLeaf + 512}), 0u);
  EXPECT_EQ(table_.MissingSpares({kMiddle + kLeaf, 4 * kLeaf + 512}), 1u);
  EXPECT_EQ(table_.MissingSpares({kMiddle + 5 * kLeaf, 512}), 1u);
  EXPECT_EQ(table_.MissingSpares({kMiddle + 1, 1}), 2u);
  EXPECT_EQ(table_.MissingSpares({1, kMiddle}), 4u);
  EXPECT_EQ(table_.MissingSpares({1, kLeaf}), 3u);
  Set({kMiddle, 5 * kLeaf + 512}, kImage);
  EXPECT_EQ(table_.Get(kMiddle + 5 * kLeaf + 511), kImage);
  EXPECT_EQ(table_.Get(kMiddle - 1), kFree);
}

TEST_F(OwnershipTableTest, ReusesTablesThatAWholeBlockMakesUseless) {
  ASSERT_TRUE(table_.Create(2 * kMiddle).ok());
  for (uint64_t leaf = 0; leaf < 20; ++leaf) {
    Set({leaf * kLeaf + 1, 2}, kRegular);
  }
  const size_t pages = machine_.table_page_count();
  for (int round = 0; round < 5; ++round) {
    Set({0, kMiddle}, kFree);
    for (uint64_t leaf = 0; leaf < 20; ++leaf) {
      Set({leaf * kLeaf + 3, 1}, kImage);
    }
    EXPECT_EQ(machine_.table_page_count(), pages);
  }
}

TEST_F(OwnershipTableTest, KeepsEntriesUnderTheBusyMark) {
  ASSERT_TRUE(table_.Create(2 * kMiddle).ok());
  Set({10, 5}, kImage);
  Set({kLeaf, 3 * kLeaf}, kRegular);
  const PageRun run{9, 2 * kLeaf};
  PrepareOrDie(run);
  table_.SetBusy(run, true);
  EXPECT_EQ(table_.Get(8), kFree);
  EXPECT_EQ(table_.Get(9), kFree.WithBusy(true));
  EXPECT_EQ(table_.Get(10), kImage.WithBusy(true));
  EXPECT_EQ(table_.Get(15), kFree.WithBusy(true));
  EXPECT_EQ(table_.Get(2 * kLeaf + 8), kRegular.WithBusy(true));
  EXPECT_EQ(table_.Get(2 * kLeaf + 9), kRegular);
  table_.SetBusy(run, false);
  EXPECT_EQ(table_.Get(10), kImage);
  EXPECT_EQ(table_.Get(9), kFree);
  EXPECT_EQ(table_.Get(2 * kLeaf + 8), kRegular);
}

TEST_F(OwnershipTableTest, StopsVisitingAtTheFirstError) {
  ASSERT_TRUE(table_.Create(kLeaf).ok());
  Set({10, 10}, kImage);
  uint64_t seen = 0;
  const Result<void> result =
      table_.ForEachRun({0, 100}, [&](PageRun run, PageEntry entry) -> Result<void> {
        seen += run.count;
        if (entry == kImage) {
          return Error(Status::kBusy);
        }
        return {};
      });
  EXPECT_EQ(ToStatus(result), Status::kBusy);
  EXPECT_EQ(seen, 20u);
}

// Random operations, and a byte a page to compare with. Edges are drawn near those of blocks, where
// mistakes live.
TEST_F(OwnershipTableTest, AgreesWithAnArray) {
  constexpr uint64_t kPages = 2 * kMiddle + 3 * kLeaf + 512;
  ASSERT_TRUE(table_.Create(kPages).ok());
  std::vector<PageEntry> model(kPages);
  std::mt19937_64 random(20261121);
  const auto edge = [&]() -> uint64_t {
    const uint64_t unit = std::array<uint64_t, 4>{1, 512, kLeaf, kMiddle}[random() % 4];
    const uint64_t near = random() % (kPages / unit + 1) * unit + random() % 5;
    return std::min(kPages, near < 2 ? 0 : near - 2);
  };
  const std::array<PageEntry, 4> entries = {kFree, kRegular, kImage,
                                            PageEntry(PageState::kDeferred, Permissions::kRead)};
  for (int step = 0; step < 1500; ++step) {
    uint64_t first = edge();
    uint64_t end = random() % 3 == 0 ? std::min(kPages, first + random() % 20) : edge();
    if (end < first) {
      std::swap(first, end);
    }
    if (first == end) {
      continue;
    }
    const PageRun run{first, end - first};
    PrepareOrDie(run);
    if (HasFatalFailure()) {
      return;
    }
    if (random() % 4 == 0) {
      const bool busy = random() % 2 == 0;
      table_.SetBusy(run, busy);
      for (uint64_t page = first; page < end; ++page) {
        model[page] = model[page].WithBusy(busy);
      }
    } else {
      const PageEntry entry = entries[random() % entries.size()];
      table_.Set(run, entry);
      std::fill(model.begin() + static_cast<ptrdiff_t>(first),
                model.begin() + static_cast<ptrdiff_t>(end), entry);
    }
    for (uint64_t page : {first, first == 0 ? 0 : first - 1, end - 1, std::min(end, kPages - 1),
                          random() % kPages}) {
      ASSERT_EQ(table_.Get(page), model[page]) << step << " " << page;
    }
    if (step % 100 == 99) {
      uint64_t next = 0;
      ASSERT_TRUE(table_
                      .ForEachRun({0, kPages},
                                  [&](PageRun now, PageEntry entry) -> Result<void> {
                                    EXPECT_EQ(now.first, next);
                                    EXPECT_GT(now.count, 0u);
                                    next = now.end();
                                    for (uint64_t page = now.first; page < next; ++page) {
                                      if (model[page] != entry) {
                                        return Error(Status::kInternal);
                                      }
                                    }
                                    return {};
                                  })
                      .ok())
          << step;
      ASSERT_EQ(next, kPages);
    }
  }
  // Root, three tables of the second level, and no more leaves than there are blocks.
  EXPECT_LE(machine_.table_page_count(), 4 + kPages / kLeaf + 1);
  Set({0, kPages}, kFree);
  EXPECT_EQ(table_.MissingSpares({1, 1}), 0u);
}

}  // namespace
}  // namespace nsgx::seh
