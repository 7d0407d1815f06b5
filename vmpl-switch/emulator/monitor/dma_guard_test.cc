// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/dma_guard.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace nsgx::emu {
namespace {

// RAM of 4 MiB behind the screen's hole.
class DmaGuardTest : public testing::Test {
 protected:
  static constexpr uint64_t kSize = uint64_t{4} << 20;
  static constexpr Page kPage = 0x200;

  DmaGuardTest()
      : bytes_(kSize),
        memory_(reinterpret_cast<uintptr_t>(bytes_.data()), kSize),
        entries_(kSize / kPageSize),
        rmp_(memory_, entries_),
        guard_(rmp_),
        tables_(std::make_unique<DmaTables>()) {
    guard_.Initialize(*tables_);
    rmp_.SetObserver(&guard_);
  }

  bool Reaches(Page page) const { return (tables_->leaves[page] & 3) == 3; }

  std::vector<std::byte> bytes_;
  GuestMemory memory_;
  std::vector<RmpEntry> entries_;
  Rmp rmp_;
  DmaGuard guard_;
  std::unique_ptr<DmaTables> tables_;
};

TEST_F(DmaGuardTest, DevicesReachSharedRamAndNothingElse) {
  for (Page page = 0; page < rmp_.pages(); ++page) {
    EXPECT_EQ(Reaches(page), rmp_.IsRam(page)) << page;
  }
  for (Page page = rmp_.pages(); page < kRamSize / kPageSize; page += 97) {
    EXPECT_FALSE(Reaches(page)) << page;
  }
  EXPECT_EQ(tables_->leaves[kPage] & ~kPageMask, kPage << kPageShift);
}

TEST_F(DmaGuardTest, APageThatIsTakenAwayMustBeForgotten) {
  EXPECT_FALSE(guard_.TakeStale());
  ASSERT_TRUE(rmp_.Assign(kPage, 1, false).ok());
  EXPECT_FALSE(Reaches(kPage));
  EXPECT_TRUE(Reaches(kPage + 1));
  EXPECT_TRUE(guard_.TakeStale());
  EXPECT_FALSE(guard_.TakeStale());
  // Rights and validation do not concern devices.
  rmp_.SetValidated(kPage, 1, true);
  rmp_.SetRights(kPage, 1, SNP_RIGHTS_ALL, false);
  EXPECT_FALSE(Reaches(kPage));
  EXPECT_FALSE(guard_.TakeStale());
}

TEST_F(DmaGuardTest, APageThatIsSharedAgainIsReached) {
  ASSERT_TRUE(rmp_.Assign(kPage, 1, false).ok());
  ASSERT_TRUE(rmp_.Share(kPage, 1).ok());
  EXPECT_TRUE(Reaches(kPage));
}

TEST_F(DmaGuardTest, EveryDeviceOfEveryBusHasTheSameTables) {
  const auto address = [](const uint64_t* table) { return reinterpret_cast<uintptr_t>(table); };
  EXPECT_EQ(guard_.root(), address(tables_->buses));
  for (uint64_t i = 0; i < DmaTables::kEntries; i += 2) {
    EXPECT_EQ(tables_->buses[i], address(tables_->contexts) | 1);
    EXPECT_EQ(tables_->contexts[i], address(tables_->top) | 1);
    EXPECT_EQ(tables_->contexts[i + 1] & 7, 1u);
  }
  EXPECT_EQ(tables_->top[0], address(tables_->directory) | 3);
  EXPECT_EQ(tables_->top[1], 0u);
}

}  // namespace
}  // namespace nsgx::emu
