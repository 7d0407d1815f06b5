// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/calls/core_protocol.h"

#include <gtest/gtest.h>

#include <vector>

#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr uint32_t kApicId = 0;
constexpr uint32_t kOtherApicId = 7;

constexpr GuestPhys kGuestStart{0x200000};  // four MiB of the guest's
constexpr uint64_t kGuestPages = 1024;
constexpr GuestPhys kArea{0x200000};  // calling area of the first processor
constexpr GuestPhys kList{0x201000};
constexpr GuestPhys kPage{0x300000};
constexpr GuestPhys kShared{0x600000};  // two MiB that are not validated
constexpr GuestPhys kOwnPage{0x800000};
constexpr GuestPhys kOwnVmsa{0x801000};
constexpr GuestPhys kPoolPage{0x900000};
constexpr GuestPhys kWindowPage{0x901000};
constexpr GuestPhys kRom{0x902000};
constexpr GuestPhys kNoRam{0xf00000};
constexpr GuestPhys kBeyond{FakeMachine::kPages * kPageSize};
constexpr uint64_t kEncryptionBit = uint64_t{1} << 47;

constexpr uint32_t kUnchanged = SVSM_PVALIDATE_UNCHANGED;

bool g_event_pending = false;

class CoreProtocolTest : public testing::Test {
 protected:
  CoreProtocolTest()
      : core_({.memory = machine_.memory,
               .pages = machine_.pages,
               .guest = machine_.guest,
               .rmp = machine_.rmp,
               .cpus = cpus_,
               .protocols = protocols_,
               .event_pending = [] { return g_event_pending; }}) {
    g_event_pending = false;
    protocols_.Register(core_);
    machine_.GiveToGuest(kGuestStart, kGuestPages);
    SetState(kArea, PageState::kCallingArea);
    SetState(kOwnPage, PageState::kOwn);
    SetState(kOwnVmsa, PageState::kOwn);
    SetState(kPoolPage, PageState::kEnclavePool);
    machine_.rmp.entry(kPoolPage).is_validated = true;
    machine_.GiveToGuest(kWindowPage, 1);
    SetState(kWindowPage, PageState::kWindow);
    machine_.GiveToGuest(kRom, 1);
    SetState(kRom, PageState::kFirmware);
    machine_.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(kShared, 512).value(),
                              PageState::kShared);
    EXPECT_TRUE(cpus_.AddProcessor(kApicId).ok());
    EXPECT_TRUE(cpus_.AddProcessor(kOtherApicId).ok());
    EXPECT_TRUE(
        cpus_.Add({.vmsa = kOwnVmsa, .calling_area = kArea, .apic_id = kApicId, .is_own = true})
            .ok());
  }

  void SetState(GuestPhys page, PageState state) {
    machine_.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(page, 1).value(), state);
  }

  uint32_t Call(uint32_t call, uint64_t rcx = 0, uint64_t rdx = 0, uint64_t r8 = 0) {
    context_.registers = {rcx, rdx, r8, 0};
    context_.calling_area = cpus_.Find(kOwnVmsa).value().calling_area;
    context_.vmsa = kOwnVmsa;
    return static_cast<uint32_t>(protocols_.Serve(SVSM_CALL(SVSM_PROTOCOL_CORE, call), context_));
  }

  // Writes a list and makes the call.
  uint32_t Pvalidate(const std::vector<uint64_t>& entries, GuestPhys at = kList) {
    svsm_pvalidate_header header = {};
    header.entries = static_cast<uint16_t>(entries.size());
    *machine_.At<svsm_pvalidate_header>(at) = header;
    for (size_t i = 0; i < entries.size(); ++i) {
      *machine_.At<uint64_t>(at + sizeof(header) + i * sizeof(uint64_t)) = entries[i];
    }
    return Call(SVSM_CORE_PVALIDATE, at.raw());
  }
  uint16_t Next(GuestPhys at = kList) { return machine_.At<svsm_pvalidate_header>(at)->next; }

  // A VMSA that the guest has made, in one of its pages.
  void WriteVmsa(GuestPhys page) {
    snp_vmsa* vmsa = machine_.At<snp_vmsa>(page);
    *vmsa = {};
    vmsa->vmpl = kGuestVmpl;
    vmsa->efer = SNP_EFER_SVME;
    vmsa->sev_features = SNP_FEATURE_SNP;
  }

  FakeMachine machine_;
  GuestCpus cpus_;
  ProtocolTable protocols_;
  CoreProtocol core_;
  CallContext context_;
};

constexpr uint64_t kValidate = SVSM_PVALIDATE_VALIDATE;
constexpr uint64_t kIgnore = SVSM_PVALIDATE_IGNORE_CF;

// ---- PVALIDATE

TEST_F(CoreProtocolTest, RescindsAndValidates) {
  *machine_.At<uint64_t>(kPage) = 0x1234;
  EXPECT_EQ(Pvalidate({kPage.raw()}), SVSM_SUCCESS);
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kShared);
  EXPECT_FALSE(machine_.rmp.entry(kPage).is_validated);
  EXPECT_EQ(machine_.rmp.entry(kPage).rights, 0u);
  EXPECT_NE(machine_.rmp.flushes, 0u);

  EXPECT_EQ(Pvalidate({kPage.raw() | kValidate}), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kGuest);
  EXPECT_TRUE(machine_.rmp.GuestMayWrite(kPage));
  EXPECT_EQ(*machine_.At<uint64_t>(kPage), 0u);
}

TEST_F(CoreProtocolTest, SaysWhenNothingChanged) {
  EXPECT_EQ(Pvalidate({kPage.raw() | kValidate}), kUnchanged);
  EXPECT_EQ(Pvalidate({kPage.raw() | kValidate | kIgnore}), SVSM_SUCCESS);
  EXPECT_EQ(Pvalidate({kShared.raw()}), kUnchanged);
  EXPECT_EQ(Pvalidate({kShared.raw() | kIgnore}), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kShared), PageState::kShared);
}

TEST_F(CoreProtocolTest, NeverTakesInAPageThatWasValidatedBehindItsBack) {
  // The host has two copies of it: the guest may ignore that, the SEH may not.
  machine_.rmp.entry(kShared).is_validated = true;
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate}), kUnchanged);
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate | kIgnore}), kUnchanged);
  EXPECT_EQ(machine_.pages.StateOf(kShared), PageState::kShared);
  EXPECT_EQ(machine_.rmp.entry(kShared).rights, 0u);
}

TEST_F(CoreProtocolTest, LargePages) {
  for (uint64_t i = 0; i < 512; ++i) {
    machine_.rmp.entry(kShared + i * kPageSize).is_large = true;
  }
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate | SNP_SIZE_2M}), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kShared + 511 * kPageSize), PageState::kGuest);
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate | SNP_SIZE_2M}), kUnchanged);
  EXPECT_EQ(Pvalidate({kShared.raw() | SNP_SIZE_2M}), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kShared + 511 * kPageSize), PageState::kShared);
}

TEST_F(CoreProtocolTest, LargePagesOfSmallOnesAreToBeDoneSingly) {
  constexpr uint32_t kMismatch = SVSM_PROTOCOL_RESULT + SNP_FAIL_SIZE_MISMATCH;
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate | SNP_SIZE_2M}), kMismatch);
  EXPECT_EQ(machine_.pages.StateOf(kShared), PageState::kShared);
  // Some are validated already, one way or the other round.
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate}), SVSM_SUCCESS);
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate | SNP_SIZE_2M}), kMismatch);
  EXPECT_EQ(Pvalidate({kShared.raw() | SNP_SIZE_2M}), kMismatch);
  // A run with a page of ours in it is refused as that page is.
  SetState(kShared + 5 * kPageSize, PageState::kOwn);
  EXPECT_EQ(Pvalidate({(kShared.raw() | SNP_SIZE_2M)}), SVSM_PROTOCOL_RESULT + 6u);
  SetState(kShared, PageState::kShared);
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate | SNP_SIZE_2M}), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(machine_.pages.StateOf(kShared + kPageSize), PageState::kShared);
}

TEST_F(CoreProtocolTest, HostileEntries) {
  const struct {
    const char* what;
    uint64_t entry;
    uint32_t result;
  } kCases[] = {
      {"the SEH's page", kOwnPage.raw(), SVSM_INVALID_ADDRESS},
      {"the SEH's page, validate", kOwnPage.raw() | kValidate, SVSM_INVALID_ADDRESS},
      {"the SEH's page, ignoring", kOwnPage.raw() | kValidate | kIgnore, SVSM_INVALID_ADDRESS},
      {"its own VMSA", kOwnVmsa.raw(), SVSM_INVALID_ADDRESS},
      {"an enclave's page", kPoolPage.raw(), SVSM_INVALID_ADDRESS},
      {"an enclave's page, validate", kPoolPage.raw() | kValidate | kIgnore, SVSM_INVALID_ADDRESS},
      {"a window's page", kWindowPage.raw(), SVSM_INVALID_ADDRESS},
      {"its calling area", kArea.raw(), SVSM_INVALID_ADDRESS},
      {"ROM", kRom.raw(), SVSM_INVALID_ADDRESS},
      {"ROM, validate", kRom.raw() | kValidate | kIgnore, SVSM_INVALID_ADDRESS},
      {"no RAM", kNoRam.raw() | kValidate, SVSM_INVALID_ADDRESS},
      {"beyond everything", kBeyond.raw() | kValidate, SVSM_INVALID_ADDRESS},
      {"far beyond", ~uint64_t{0xfff} | kValidate, SVSM_INVALID_ADDRESS},
      {"with the C-bit", kPage.raw() | kEncryptionBit, SVSM_INVALID_ADDRESS},
      {"size 2", kPage.raw() | 2, SVSM_INVALID_PARAMETER},
      {"size 3", kPage.raw() | 3, SVSM_INVALID_PARAMETER},
      {"reserved bit 4", kPage.raw() | 1 << 4, SVSM_INVALID_PARAMETER},
      {"reserved bit 11", kPage.raw() | 1 << 11, SVSM_INVALID_PARAMETER},
      {"2 MiB, not aligned", (kGuestStart + kPageSize).raw() | SNP_SIZE_2M, SVSM_INVALID_PARAMETER},
      {"2 MiB at the very end", (~uint64_t{0} << 21) | SNP_SIZE_2M, SVSM_INVALID_ADDRESS},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Pvalidate({test.entry}), test.result) << test.what;
    EXPECT_EQ(Next(), 0) << test.what;
  }
  // None of that has changed anything.
  EXPECT_EQ(machine_.pages.StateOf(kOwnPage), PageState::kOwn);
  EXPECT_EQ(machine_.pages.StateOf(kPoolPage), PageState::kEnclavePool);
  EXPECT_EQ(machine_.pages.StateOf(kWindowPage), PageState::kWindow);
  EXPECT_TRUE(machine_.rmp.GuestMayWrite(kPage));
}

TEST_F(CoreProtocolTest, HostileLists) {
  const auto header_at = [this](GuestPhys at, uint16_t entries, uint16_t next) {
    *machine_.At<svsm_pvalidate_header>(at) = {.entries = entries, .next = next, .reserved = 0};
    return Call(SVSM_CORE_PVALIDATE, at.raw());
  };
  EXPECT_EQ(header_at(kList, 0, 0), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(header_at(kList, 1, 1), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(header_at(kList, 1, 0xffff), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(header_at(kList, 512, 0), SVSM_INVALID_PARAMETER);  // leaves the page by one
  EXPECT_EQ(header_at(kList, 0xffff, 0xfffe), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(header_at(kList + 0xff8, 1, 0), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(Call(SVSM_CORE_PVALIDATE, kList.raw() + 4), SVSM_INVALID_PARAMETER);
  for (const GuestPhys at : {kOwnPage, kOwnVmsa, kPoolPage, kShared, kNoRam, kBeyond,
                             GuestPhys(~uint64_t{7}), GuestPhys(kList.raw() | kEncryptionBit)}) {
    EXPECT_EQ(Call(SVSM_CORE_PVALIDATE, at.raw()), SVSM_INVALID_ADDRESS) << at.raw();
  }
}

TEST_F(CoreProtocolTest, TheLastEntryOfAFullPageCounts) {
  std::vector<uint64_t> entries;
  for (uint64_t i = 0; i < 511; ++i) {
    entries.push_back((kPage + i * kPageSize).raw());
  }
  EXPECT_EQ(Pvalidate(entries), SVSM_SUCCESS);
  EXPECT_EQ(Next(), 511);
  EXPECT_EQ(machine_.pages.StateOf(kPage + 510 * kPageSize), PageState::kShared);
}

TEST_F(CoreProtocolTest, GoesOnWhereItStopped) {
  EXPECT_EQ(Pvalidate({kPage.raw(), (kPage + kPageSize).raw(), kOwnPage.raw()}),
            SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Next(), 2);
  EXPECT_EQ(machine_.pages.StateOf(kPage + kPageSize), PageState::kShared);
}

TEST_F(CoreProtocolTest, LetsTheGuestInBetween) {
  g_event_pending = true;
  EXPECT_EQ(Pvalidate({kPage.raw(), (kPage + kPageSize).raw()}), SVSM_INCOMPLETE);
  EXPECT_EQ(Next(), 1);
  EXPECT_EQ(Call(SVSM_CORE_PVALIDATE, kList.raw()), SVSM_SUCCESS);
  EXPECT_EQ(Next(), 2);
}

TEST_F(CoreProtocolTest, TheListMayNotGiveAwayItself) {
  EXPECT_EQ(Pvalidate({kList.raw(), kPage.raw()}), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(machine_.pages.StateOf(kList), PageState::kShared);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kGuest);
}

TEST_F(CoreProtocolTest, PassesTheProcessorsRefusalOn) {
  machine_.rmp.fail_next_adjust = SNP_FAIL_PERMISSION;
  EXPECT_EQ(Pvalidate({kPage.raw()}), SVSM_PROTOCOL_RESULT + SNP_FAIL_PERMISSION);
  machine_.rmp.fail_next_validate = SNP_FAIL_INPUT;
  EXPECT_EQ(Pvalidate({kPage.raw()}), SVSM_PROTOCOL_RESULT + SNP_FAIL_INPUT);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kGuest);
  EXPECT_TRUE(machine_.rmp.GuestMayWrite(kPage));
  machine_.rmp.fail_next_adjust = SNP_FAIL_INPUT;
  EXPECT_EQ(Pvalidate({kShared.raw() | kValidate}), SVSM_PROTOCOL_RESULT + SNP_FAIL_INPUT);
  EXPECT_EQ(machine_.pages.StateOf(kShared), PageState::kShared);
  EXPECT_FALSE(machine_.rmp.entry(kShared).is_validated);
}

// ---- REMAP_CA

TEST_F(CoreProtocolTest, MovesTheCallingArea) {
  *machine_.At<uint64_t>(kPage) = ~uint64_t{0};
  EXPECT_EQ(Call(SVSM_CORE_REMAP_CA, kPage.raw()), SVSM_SUCCESS);
  EXPECT_EQ(*machine_.At<uint64_t>(kPage), 0u);
  EXPECT_EQ(cpus_.Find(kOwnVmsa).value().calling_area, kPage);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kCallingArea);
  EXPECT_EQ(machine_.pages.StateOf(kArea), PageState::kGuest);
  // To where it is.
  EXPECT_EQ(Call(SVSM_CORE_REMAP_CA, kPage.raw()), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kPage), PageState::kCallingArea);
}

TEST_F(CoreProtocolTest, HostileCallingAreas) {
  EXPECT_EQ(Call(SVSM_CORE_REMAP_CA, kPage.raw() + 8), SVSM_INVALID_PARAMETER);
  for (const GuestPhys page : {kOwnPage, kOwnVmsa, kPoolPage, kWindowPage, kShared, kRom, kNoRam,
                               kBeyond, GuestPhys(kPage.raw() | kEncryptionBit)}) {
    EXPECT_EQ(Call(SVSM_CORE_REMAP_CA, page.raw()), SVSM_INVALID_ADDRESS) << page.raw();
  }
  EXPECT_EQ(cpus_.Find(kOwnVmsa).value().calling_area, kArea);
}

// ---- CREATE_VCPU, DELETE_VCPU

constexpr GuestPhys kVmsa{0x302000};
constexpr GuestPhys kNewArea{0x303000};

TEST_F(CoreProtocolTest, MakesAndDeletesAProcessor) {
  WriteVmsa(kVmsa);
  EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kVmsa.raw(), kNewArea.raw(), kOtherApicId), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kVmsa), PageState::kVmsa);
  EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kCallingArea);
  EXPECT_TRUE(machine_.rmp.entry(kVmsa).is_vmsa);
  EXPECT_EQ(machine_.rmp.entry(kVmsa).rights, unsigned{SNP_RIGHT_READ});
  EXPECT_EQ(cpus_.At(kOtherApicId, 0).value().vmsa, kVmsa);
  // Not twice, and nothing else can be done with either page.
  EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kVmsa.raw(), kPage.raw(), kOtherApicId),
            SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Pvalidate({kVmsa.raw()}), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Pvalidate({kNewArea.raw()}), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Call(SVSM_CORE_REMAP_CA, kVmsa.raw()), SVSM_INVALID_ADDRESS);

  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kVmsa.raw()), SVSM_SUCCESS);
  EXPECT_FALSE(machine_.rmp.entry(kVmsa).is_vmsa);
  EXPECT_TRUE(machine_.rmp.GuestMayWrite(kVmsa));
  EXPECT_EQ(machine_.pages.StateOf(kVmsa), PageState::kGuest);
  EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kGuest);
  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kVmsa.raw()), SVSM_INVALID_PARAMETER);
}

TEST_F(CoreProtocolTest, AProcessorsNextStateMayHaveItsArea) {
  constexpr GuestPhys kNext{0x305000};
  WriteVmsa(kVmsa);
  WriteVmsa(kNext);
  ASSERT_EQ(Call(SVSM_CORE_CREATE_VCPU, kVmsa.raw(), kNewArea.raw(), kOtherApicId), SVSM_SUCCESS);
  // But no other processor's.
  EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kNext.raw(), kNewArea.raw(), kApicId),
            SVSM_INVALID_ADDRESS);
  EXPECT_EQ(machine_.pages.StateOf(kNext), PageState::kGuest);
  EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kCallingArea);
  EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kNext.raw(), kNewArea.raw(), kOtherApicId), SVSM_SUCCESS);
  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kVmsa.raw()), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kCallingArea);
  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kNext.raw()), SVSM_SUCCESS);
  EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kGuest);
}

TEST_F(CoreProtocolTest, HostileProcessors) {
  const GuestPhys large(0x400000);
  const struct {
    const char* what;
    GuestPhys vmsa, area;
    uint64_t apic_id;
    uint32_t result;
  } kCases[] = {
      {"VMSA not aligned", kVmsa + 8, kNewArea, kOtherApicId, SVSM_INVALID_PARAMETER},
      {"area not aligned", kVmsa, kNewArea + 8, kOtherApicId, SVSM_INVALID_PARAMETER},
      {"one page for both", kVmsa, kVmsa, kOtherApicId, SVSM_INVALID_PARAMETER},
      {"VMSA at 2 MiB", large, kNewArea, kOtherApicId, SVSM_INVALID_PARAMETER},
      {"no such processor", kVmsa, kNewArea, 3, SVSM_INVALID_PARAMETER},
      {"no such processor, wide", kVmsa, kNewArea, uint64_t{1} << 32, SVSM_INVALID_PARAMETER},
      {"VMSA of the SEH", kOwnVmsa, kNewArea, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"VMSA in the SEH", kOwnPage + kPageSize, kNewArea, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"VMSA in an enclave", kPoolPage + 8 * kPageSize, kNewArea, kOtherApicId,
       SVSM_INVALID_ADDRESS},
      {"VMSA in a window", kWindowPage, kNewArea, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"VMSA is shared", kShared + kPageSize, kNewArea, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"VMSA beyond", kBeyond + kPageSize, kNewArea, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"area of the SEH", kVmsa, kOwnPage, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"area in use", kVmsa, kArea, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"area is shared", kVmsa, kShared, kOtherApicId, SVSM_INVALID_ADDRESS},
      {"area beyond", kVmsa, kBeyond, kOtherApicId, SVSM_INVALID_ADDRESS},
  };
  WriteVmsa(kVmsa);
  for (const auto& test : kCases) {
    EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, test.vmsa.raw(), test.area.raw(), test.apic_id),
              test.result)
        << test.what;
  }
  EXPECT_EQ(machine_.pages.StateOf(kVmsa), PageState::kGuest);
  EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kGuest);
  EXPECT_TRUE(machine_.rmp.GuestMayWrite(kVmsa));
  EXPECT_FALSE(cpus_.At(kOtherApicId, 0).ok());
}

TEST_F(CoreProtocolTest, HostileVmsas) {
  const struct {
    const char* what;
    void (*change)(snp_vmsa&);
  } kCases[] = {
      {"VMPL 0", [](snp_vmsa& vmsa) { vmsa.vmpl = 0; }},
      {"VMPL 2", [](snp_vmsa& vmsa) { vmsa.vmpl = 2; }},
      {"not runnable", [](snp_vmsa& vmsa) { vmsa.efer = 0; }},
      {"no SNP", [](snp_vmsa& vmsa) { vmsa.sev_features = 0; }},
      {"vTOM", [](snp_vmsa& vmsa) { vmsa.sev_features |= 2; }},
      {"restricted injection",
       [](snp_vmsa& vmsa) { vmsa.sev_features |= SNP_FEATURE_RESTRICTED_INJECTION; }},
      {"a top of memory", [](snp_vmsa& vmsa) { vmsa.virtual_tom = 0x1000; }},
  };
  for (const auto& test : kCases) {
    WriteVmsa(kVmsa);
    test.change(*machine_.At<snp_vmsa>(kVmsa));
    EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kVmsa.raw(), kNewArea.raw(), kOtherApicId),
              SVSM_INVALID_PARAMETER)
        << test.what;
    EXPECT_TRUE(machine_.rmp.GuestMayWrite(kVmsa)) << test.what;
    EXPECT_FALSE(machine_.rmp.entry(kVmsa).is_vmsa) << test.what;
    EXPECT_EQ(machine_.pages.StateOf(kVmsa), PageState::kGuest) << test.what;
    EXPECT_EQ(machine_.pages.StateOf(kNewArea), PageState::kGuest) << test.what;
  }
}

TEST_F(CoreProtocolTest, ChecksTheVmsaAfterTheGuestHasLostIt) {
  // Another processor of the guest changes the VMPL at the last moment.
  WriteVmsa(kVmsa);
  machine_.rmp.context = &machine_;
  machine_.rmp.on_revoke = [](void* self, GuestPhys page) {
    static_cast<FakeMachine*>(self)->At<snp_vmsa>(page)->vmpl = 0;
  };
  EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kVmsa.raw(), kNewArea.raw(), kOtherApicId),
            SVSM_INVALID_PARAMETER);
  EXPECT_FALSE(machine_.rmp.entry(kVmsa).is_vmsa);
}

TEST_F(CoreProtocolTest, HostileDeletions) {
  WriteVmsa(kVmsa);
  EXPECT_EQ(Call(SVSM_CORE_CREATE_VCPU, kVmsa.raw(), kNewArea.raw(), kOtherApicId), SVSM_SUCCESS);
  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kVmsa.raw() + 8), SVSM_INVALID_PARAMETER);
  for (const GuestPhys page : {kOwnVmsa, kOwnPage, kPoolPage, kPage, kShared, kNoRam, kBeyond}) {
    EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, page.raw()), SVSM_INVALID_PARAMETER) << page.raw();
  }
  // The processor says that it is being run.
  machine_.rmp.fail_next_adjust = 3;
  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kVmsa.raw()), SVSM_PROTOCOL_RESULT + 3);
  EXPECT_NE(machine_.At<snp_vmsa>(kVmsa)->efer & SNP_EFER_SVME, 0u);
  EXPECT_EQ(machine_.pages.StateOf(kVmsa), PageState::kVmsa);
  // Its call is being served, on another processor.
  EXPECT_EQ(cpus_.ClaimAt(kOtherApicId, 0).value().vmsa, kVmsa);
  EXPECT_EQ(cpus_.Claim(kVmsa).error(), Status::kBusy);
  EXPECT_EQ(Call(SVSM_CORE_DELETE_VCPU, kVmsa.raw()), SVSM_PROTOCOL_RESULT + SNP_FAIL_IN_USE);
  EXPECT_NE(machine_.At<snp_vmsa>(kVmsa)->efer & SNP_EFER_SVME, 0u);
  cpus_.Unclaim(kVmsa);
  // A processor cannot delete itself.
  context_.registers.rcx = kVmsa.raw();
  context_.vmsa = kVmsa;
  EXPECT_EQ(core_.Serve(SVSM_CORE_DELETE_VCPU, context_), SVSM_PROTOCOL_RESULT + 3);
}

// ---- the rest

TEST_F(CoreProtocolTest, QueriesProtocols) {
  const struct {
    uint64_t wanted;
    uint64_t answer;
  } kCases[] = {
      {1, uint64_t{1} << 32 | 1},
      {0, 0},
      {2, 0},
      {uint64_t{SVSM_PROTOCOL_ATTESTATION} << 32 | 1, 0},  // not registered here
      {uint64_t{4} << 32 | 1, 0},
      {~uint64_t{0}, 0},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(Call(SVSM_CORE_QUERY_PROTOCOL, test.wanted), SVSM_SUCCESS);
    EXPECT_EQ(context_.registers.rcx, test.answer) << test.wanted;
  }
}

TEST_F(CoreProtocolTest, HasNoTopOfMemory) {
  EXPECT_EQ(Call(SVSM_CORE_CONFIGURE_VTOM, 1), SVSM_SUCCESS);
  EXPECT_EQ(context_.registers.rcx, 0u);
  EXPECT_EQ(Call(SVSM_CORE_CONFIGURE_VTOM, 0), SVSM_INVALID_REQUEST);
  EXPECT_EQ(Call(SVSM_CORE_CONFIGURE_VTOM, 0x80000000), SVSM_INVALID_REQUEST);
}

TEST_F(CoreProtocolTest, RefusesOtherCalls) {
  for (const uint32_t call : {SVSM_CORE_DEPOSIT_MEMORY, SVSM_CORE_WITHDRAW_MEMORY, 8u, ~0u}) {
    EXPECT_EQ(Call(call, kPage.raw()), SVSM_UNSUPPORTED_CALL);
  }
  for (const uint32_t protocol : {1u, 2u, 4u, ~0u}) {
    EXPECT_EQ(protocols_.Serve(SVSM_CALL(protocol, 0), context_), SVSM_UNSUPPORTED_PROTOCOL);
  }
}

}  // namespace
}  // namespace nsgx::snp
