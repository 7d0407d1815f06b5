// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/services.h"

#include <gtest/gtest.h>

#include "vmpl-switch/snp/testing/fake_firmware.h"
#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr GuestPhys kPage{0x300000};
constexpr std::array<std::byte, 32> kKey = {};

class NoRandom final : public Random {
 public:
  Result<void> Fill(std::span<std::byte>) override { return Error(Status::kEntropyFailure); }
};
class NoClock final : public TscClock {
 public:
  uint64_t khz() const override { return 0; }
  nsgx_clock Conversion() const override { return {}; }
};

class ServicesTest : public testing::Test {
 protected:
  ServicesTest()
      : firmware_(kKey),
        client_(firmware_),
        attestation_(machine_.guest, client_),
        services_{.memory = machine_.memory,
                  .allocator = allocator_,
                  .pages = machine_.pages,
                  .guest = machine_.guest,
                  .rmp = machine_.rmp,
                  .kernel_space = space_,
                  .encryption_bit = 0,
                  .cpuid = cpuid_,
                  .messages = client_,
                  .random = random_,
                  .clock = clock_,
                  .protocols = protocols_,
                  .attestation = attestation_,
                  .calls = calls_} {
    machine_.GiveToGuest(kPage, 3);
    *machine_.At<uint64_t>(kPage) = 0x1234;
  }

  Result<void> Take(GuestPhys page) {
    size_t taken = 0;
    Result<void> result = TakeGuestPages(services_, {&page, 1}, &taken);
    EXPECT_EQ(taken, result.ok() ? 1u : 0u);
    return result;
  }

  FakeMachine machine_;
  PageAllocator allocator_;
  AddressSpace space_;
  CpuidTable cpuid_;
  FakeFirmware firmware_;
  MessageClient client_;
  NoRandom random_;
  NoClock clock_;
  ProtocolTable protocols_;
  AttestationProtocol attestation_;
  SpinLock calls_;
  Services services_;
};

TEST_F(ServicesTest, APageGoesToAnEnclaveAndBack) {
  ASSERT_TRUE(Take(kPage).ok());
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kEnclavePool);
  EXPECT_EQ(machine_.rmp.entry(kPage).rights, 0u);
  EXPECT_EQ(*machine_.At<uint64_t>(kPage), 0u);
  EXPECT_NE(machine_.rmp.flushes, 0u);
  EXPECT_EQ(Take(kPage).error(), Status::kPermissionDenied);

  *machine_.At<uint64_t>(kPage) = 0x5ec2e7;
  ASSERT_TRUE(ReturnGuestPage(services_, kPage).ok());
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kGuest);
  EXPECT_TRUE(machine_.rmp.GuestMayWrite(kPage));
  EXPECT_EQ(*machine_.At<uint64_t>(kPage), 0u);
}

TEST_F(ServicesTest, ManyGoWithOneFlushUpToTheFirstThatDoesNot) {
  // The same page twice: the second time it is on its way already.
  const GuestPhys pages[] = {kPage, kPage + kPageSize, kPage, kPage + 2 * kPageSize};
  size_t taken = 0;
  EXPECT_EQ(TakeGuestPages(services_, pages, &taken).error(), Status::kBusy);
  EXPECT_EQ(taken, 2u);
  EXPECT_EQ(machine_.rmp.flushes, 1u);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kEnclavePool);
  EXPECT_EQ(machine_.pages.StateOf(kPage + kPageSize), PageState::kEnclavePool);
  EXPECT_EQ(machine_.pages.StateOf(kPage + 2 * kPageSize), PageState::kGuest);
  EXPECT_EQ(*machine_.At<uint64_t>(kPage), 0u);
}

TEST_F(ServicesTest, OnlyTheGuestsOrdinaryMemoryGoes) {
  for (const PageState state :
       {PageState::kAbsent, PageState::kOwn, PageState::kFirmware, PageState::kShared,
        PageState::kEnclavePool, PageState::kWindow, PageState::kCallingArea, PageState::kVmsa}) {
    machine_.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(kPage, 1).value(), state);
    EXPECT_EQ(Take(kPage).error(), Status::kPermissionDenied);
    EXPECT_EQ(machine_.pages.StateOf(kPage), state);
  }
  EXPECT_EQ(Take(kPage + 1).error(), Status::kInvalidArgument);
  EXPECT_EQ(Take(GuestPhys(uint64_t{1} << 47)).error(), Status::kInvalidArgument);
}

TEST_F(ServicesTest, StaysWhereItIsWhenTheProcessorRefuses) {
  machine_.rmp.fail_next_adjust = SNP_FAIL_PERMISSION;
  EXPECT_EQ(Take(kPage).error(), Status::kHostFault);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kGuest);
  EXPECT_EQ(*machine_.At<uint64_t>(kPage), 0x1234u);
  ASSERT_TRUE(Take(kPage).ok());
  machine_.rmp.fail_next_adjust = SNP_FAIL_INPUT;
  EXPECT_EQ(ReturnGuestPage(services_, kPage).error(), Status::kHostFault);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kEnclavePool);
  EXPECT_EQ(machine_.rmp.entry(kPage).rights, 0u);
}

}  // namespace
}  // namespace nsgx::snp
