// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/memory/guest_pages.h"

#include <gtest/gtest.h>

#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr GuestPhys kPage{0x5000};

TEST(GuestPagesTest, StartsWithNothing) {
  FakeMachine machine;
  EXPECT_EQ(machine.pages.StateOf(kPage), PageState::kAbsent);
  EXPECT_EQ(machine.pages.Begin(kPage, PageState::kGuest).error(), Status::kPermissionDenied);
  EXPECT_EQ(machine.pages.Count(PageState::kAbsent), FakeMachine::kPages);
}

TEST(GuestPagesTest, ChangesInTwoSteps) {
  FakeMachine machine;
  machine.GiveToGuest(kPage, 1);
  ASSERT_TRUE(machine.pages.Begin(kPage, PageState::kGuest).ok());
  // Meanwhile it is nobody's.
  EXPECT_EQ(machine.pages.StateOf(kPage), PageState::kAbsent);
  EXPECT_EQ(machine.pages.Begin(kPage, PageState::kGuest).error(), Status::kBusy);
  EXPECT_EQ(machine.pages.CheckGuestBytes(kPage, 8).error(), Status::kPermissionDenied);
  machine.pages.Abandon(kPage);
  EXPECT_EQ(machine.pages.StateOf(kPage), PageState::kGuest);
  ASSERT_TRUE(machine.pages.Begin(kPage, PageState::kGuest).ok());
  machine.pages.Finish(kPage, PageState::kEnclavePool);
  EXPECT_EQ(machine.pages.StateOf(kPage), PageState::kEnclavePool);
  EXPECT_EQ(machine.pages.Count(PageState::kEnclavePool), 1u);
}

TEST(GuestPagesTest, RefusesWhatIsNoPage) {
  FakeMachine machine;
  for (const uint64_t address : {uint64_t{0x5001}, machine.pages.end().raw(), uint64_t{1} << 47,
                                 ~uint64_t{0xfff}, ~uint64_t{0}}) {
    EXPECT_EQ(machine.pages.Begin(GuestPhys(address), PageState::kAbsent).error(),
              Status::kInvalidArgument);
  }
  EXPECT_EQ(machine.pages.StateOf(GuestPhys(~uint64_t{0})), PageState::kAbsent);
}

TEST(GuestPagesTest, GuestBytesLieInOneOfItsPages) {
  FakeMachine machine;
  machine.GiveToGuest(kPage, 2);
  EXPECT_TRUE(machine.pages.CheckGuestBytes(kPage, kPageSize).ok());
  EXPECT_TRUE(machine.pages.CheckGuestBytes(kPage + 0xff8, 8).ok());
  EXPECT_EQ(machine.pages.CheckGuestBytes(kPage + 0xff9, 8).error(), Status::kInvalidArgument);
  EXPECT_EQ(machine.pages.CheckGuestBytes(kPage, kPageSize + 1).error(), Status::kInvalidArgument);
  EXPECT_EQ(machine.pages.CheckGuestBytes(kPage, 0).error(), Status::kInvalidArgument);
  EXPECT_EQ(machine.pages.CheckGuestBytes(kPage, ~uint64_t{0}).error(), Status::kInvalidArgument);
  EXPECT_EQ(machine.pages.CheckGuestBytes(kPage - kPageSize, 8).error(), Status::kPermissionDenied);
  EXPECT_EQ(machine.pages.CheckGuestBytes(GuestPhys(~uint64_t{7}), 8).error(),
            Status::kInvalidArgument);
}

TEST(GuestPagesTest, SaysWhatTheGuestMayAccess) {
  FakeMachine machine;
  const struct {
    PageState state;
    bool may_access;
  } kCases[] = {
      {PageState::kAbsent, false},     {PageState::kOwn, false},
      {PageState::kGuest, true},       {PageState::kShared, false},
      {PageState::kVmsa, false},       {PageState::kWindow, true},
      {PageState::kCallingArea, true}, {PageState::kEnclavePool, false},
      {PageState::kFirmware, false},
  };
  for (const auto& test : kCases) {
    machine.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(kPage, 1).value(), test.state);
    EXPECT_EQ(machine.pages.CheckGuestBytes(kPage, 8).ok(), test.may_access);
    EXPECT_EQ(machine.guest.ReadObject<uint64_t>(kPage).ok(), test.may_access);
    EXPECT_EQ(machine.guest.WriteObject<uint64_t>(kPage, 1).ok(), test.may_access);
  }
}

}  // namespace
}  // namespace nsgx::snp
