// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/rmp.h"

#include <gtest/gtest.h>

#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr Page kPage = 600;
constexpr PageAccess kNothing = {};
constexpr PageAccess kEverything = {.can_read = true, .can_write = true, .can_execute = true};

class RmpTest : public testing::Test {
 protected:
  bool IsFilledWith(Page page, std::byte value) {
    for (const std::byte byte : machine.memory.Bytes(page)) {
      if (byte != value) {
        return false;
      }
    }
    return true;
  }
  void Fill(Page page, std::byte value) {
    for (std::byte& byte : machine.memory.Bytes(page)) {
      byte = value;
    }
    rmp.MarkWritten(page);
  }

  TestMachine machine;
  Rmp& rmp = machine.rmp;
};

TEST_F(RmpTest, StartsWithAllMemoryShared) {
  EXPECT_EQ(rmp.SharedAccess(kPage),
            (PageAccess{.can_read = true, .can_write = true, .can_execute = false}));
  for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
    EXPECT_EQ(rmp.PrivateAccess(kPage, vmpl), kNothing);
  }
}

TEST_F(RmpTest, GivesNobodyAPageThatIsNotValidated) {
  ASSERT_TRUE(rmp.Assign(kPage, 1, false).ok());
  EXPECT_EQ(rmp.SharedAccess(kPage), kNothing);
  EXPECT_EQ(rmp.PrivateAccess(kPage, 0), kNothing);
  EXPECT_EQ(rmp.Check(kPage, 0, true, AccessKind::kRead), RmpFault::kNotValidated);
}

TEST_F(RmpTest, GivesAValidatedPageToVmpl0Alone) {
  ASSERT_TRUE(rmp.Assign(kPage, 1, false).ok());
  EXPECT_TRUE(rmp.SetValidated(kPage, 1, true));
  EXPECT_EQ(rmp.PrivateAccess(kPage, 0), kEverything);
  for (unsigned vmpl = 1; vmpl < kVmpls; ++vmpl) {
    EXPECT_EQ(rmp.PrivateAccess(kPage, vmpl), kNothing);
    EXPECT_EQ(rmp.Check(kPage, vmpl, true, AccessKind::kRead), RmpFault::kRights);
  }
}

TEST_F(RmpTest, SaysWhetherValidationHasChangedAnything) {
  ASSERT_TRUE(rmp.Assign(kPage, 1, false).ok());
  EXPECT_TRUE(rmp.SetValidated(kPage, 1, true));
  EXPECT_FALSE(rmp.SetValidated(kPage, 1, true));
  EXPECT_TRUE(rmp.SetValidated(kPage, 1, false));
  EXPECT_FALSE(rmp.SetValidated(kPage, 1, false));
}

TEST_F(RmpTest, GivesEachVmplItsOwnRights) {
  machine.MakePrivate(kPage);
  rmp.SetRights(kPage, 1, SNP_RIGHT_READ | SNP_RIGHT_WRITE, false);
  rmp.SetRights(kPage, 2, SNP_RIGHT_READ | SNP_RIGHT_EXECUTE_USER, false);
  EXPECT_EQ(rmp.PrivateAccess(kPage, 1),
            (PageAccess{.can_read = true, .can_write = true, .can_execute = false}));
  EXPECT_EQ(rmp.PrivateAccess(kPage, 2),
            (PageAccess{.can_read = true, .can_write = false, .can_execute = true}));
  EXPECT_EQ(rmp.PrivateAccess(kPage, 3), kNothing);
  EXPECT_EQ(rmp.PrivateAccess(kPage, 0), kEverything);
  EXPECT_EQ(rmp.Check(kPage, 1, true, AccessKind::kExecute), RmpFault::kRights);
  EXPECT_EQ(rmp.Check(kPage, 2, true, AccessKind::kWrite), RmpFault::kRights);
}

TEST_F(RmpTest, ForgetsRightsWithValidation) {
  machine.MakePrivate(kPage);
  rmp.SetRights(kPage, 1, SNP_RIGHTS_ALL, false);
  rmp.SetValidated(kPage, 1, false);
  rmp.SetValidated(kPage, 1, true);
  EXPECT_EQ(rmp.PrivateAccess(kPage, 1), kNothing);
}

TEST_F(RmpTest, ForgetsEverythingWhenAPageWasShared) {
  machine.MakePrivate(kPage);
  rmp.SetRights(kPage, 1, SNP_RIGHTS_ALL, false);
  ASSERT_TRUE(rmp.Share(kPage, 1).ok());
  ASSERT_TRUE(rmp.Assign(kPage, 1, false).ok());
  EXPECT_EQ(rmp.Check(kPage, 0, true, AccessKind::kRead), RmpFault::kNotValidated);
  EXPECT_EQ(rmp.Rights(kPage, 1), 0);
}

TEST_F(RmpTest, LooksAtTheCbitBeforeAnythingElse) {
  EXPECT_EQ(rmp.Check(kPage, 1, true, AccessKind::kRead), RmpFault::kNotAssigned);
  EXPECT_EQ(rmp.Check(kPage, 1, false, AccessKind::kWrite), RmpFault::kNone);
  machine.MakePrivate(kPage);
  EXPECT_EQ(rmp.Check(kPage, 1, false, AccessKind::kWrite), RmpFault::kAssigned);
}

TEST_F(RmpTest, FetchesFromPrivateMemoryOnly) {
  EXPECT_EQ(rmp.Check(kPage, 0, false, AccessKind::kExecute), RmpFault::kNotAssigned);
  machine.MakePrivate(kPage);
  EXPECT_EQ(rmp.Check(kPage, 0, false, AccessKind::kExecute), RmpFault::kNone);
}

TEST_F(RmpTest, HasNothingWhereNoMemoryIs) {
  EXPECT_EQ(rmp.Check(PageOf(kHoleBegin), 0, false, AccessKind::kRead), RmpFault::kNotRam);
  EXPECT_EQ(rmp.Check(TestMachine::kPages, 0, true, AccessKind::kRead), RmpFault::kNotRam);
  EXPECT_EQ(rmp.Assign(PageOf(kHoleBegin), 1, false).error(), Status::kOutOfRange);
  EXPECT_EQ(rmp.Assign(TestMachine::kPages - 1, 2, false).error(), Status::kOutOfRange);
  EXPECT_EQ(rmp.Assign(~Page{0}, 1, false).error(), Status::kOutOfRange);
  EXPECT_EQ(rmp.Assign(1, ~uint64_t{0}, false).error(), Status::kOutOfRange);
  EXPECT_EQ(rmp.Share(PageOf(kHoleBegin) - 1, 2).error(), Status::kOutOfRange);
  EXPECT_EQ(rmp.Share(kPage, 0).error(), Status::kOutOfRange);
  // What was refused has changed nothing.
  EXPECT_FALSE(rmp.entry(PageOf(kHoleBegin) - 1).is_assigned);
}

TEST_F(RmpTest, LetsTheHostTakeNoVmsa) {
  machine.MakePrivate(kPage);
  rmp.SetRights(kPage, 1, 0, true);
  EXPECT_EQ(rmp.Share(kPage, 1).error(), Status::kBusy);
  EXPECT_TRUE(rmp.entry(kPage).is_vmsa);
  EXPECT_EQ(rmp.Check(kPage, 0, true, AccessKind::kWrite), RmpFault::kNone);
}

TEST_F(RmpTest, DoesNotValidateWhatIsPrivateAlreadyAgain) {
  machine.MakePrivate(kPage);
  ASSERT_TRUE(rmp.Assign(kPage, 1, false).ok());
  EXPECT_TRUE(rmp.entry(kPage).is_validated);
}

TEST_F(RmpTest, KeepsRunsOf2MiBUntilOnePageIsTreatedAlone) {
  constexpr Page kFirst = 2 * TestMachine::kPagesPerLarge;
  EXPECT_EQ(rmp.Assign(kFirst + 1, TestMachine::kPagesPerLarge, true).error(),
            Status::kInvalidArgument);
  EXPECT_EQ(rmp.Assign(kFirst, 3, true).error(), Status::kInvalidArgument);
  ASSERT_TRUE(rmp.Assign(kFirst, TestMachine::kPagesPerLarge, true).ok());
  EXPECT_TRUE(rmp.entry(kFirst).is_large);
  EXPECT_TRUE(rmp.entry(kFirst + 511).is_large);
  ASSERT_TRUE(rmp.Share(kFirst + 5, 1).ok());
  EXPECT_FALSE(rmp.entry(kFirst).is_large);
  EXPECT_FALSE(rmp.entry(kFirst + 511).is_large);
  // Partly private: it stays in small pages.
  ASSERT_TRUE(rmp.Assign(kFirst, TestMachine::kPagesPerLarge, true).ok());
  EXPECT_TRUE(rmp.entry(kFirst + 5).is_assigned);
  EXPECT_FALSE(rmp.entry(kFirst + 5).is_large);
}

TEST_F(RmpTest, LeavesTheHostNoContents) {
  machine.MakePrivate(kPage);
  Fill(kPage, std::byte{0x5e});
  ASSERT_TRUE(rmp.Share(kPage, 1).ok());
  EXPECT_TRUE(IsFilledWith(kPage, std::byte{0}));
}

TEST_F(RmpTest, ScrubsPrivatePagesThatWereWritten) {
  machine.MakePrivate(kPage, 3);
  Fill(kPage, std::byte{1});
  Fill(kPage + 1, std::byte{2});
  Fill(kPage + 10, std::byte{3});  // shared
  EXPECT_GE(rmp.ScrubPrivate(), 2u);
  EXPECT_TRUE(IsFilledWith(kPage, std::byte{0}));
  EXPECT_TRUE(IsFilledWith(kPage + 1, std::byte{0}));
  EXPECT_TRUE(IsFilledWith(kPage + 10, std::byte{3}));
}

}  // namespace
}  // namespace nsgx::emu
