// SPDX-License-Identifier: Apache-2.0
// A guest that calls at random, and what holds after each of its calls.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/snp/calls/core_protocol.h"
#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {
namespace {

constexpr uint32_t kApicId = 0;
constexpr uint32_t kOtherApicId = 1;
constexpr GuestPhys kOwnVmsa{0x10000};
constexpr GuestPhys kOwnPage{0x11000};
constexpr GuestPhys kPoolPage{0x12000};
constexpr GuestPhys kWindowPage{0x13000};
constexpr GuestPhys kSharedPage{0x14000};
constexpr GuestPhys kFirst{0x20000};  // the guest's
constexpr uint64_t kCount = 16;
constexpr GuestPhys kLarge{0x200000};  // 2 MiB of the guest's that the host keeps in one piece
constexpr std::byte kCanary{0x5e};

class RandomGuest {
 public:
  explicit RandomGuest(uint32_t seed)
      : random_(seed),
        core_({.memory = machine_.memory,
               .pages = machine_.pages,
               .guest = machine_.guest,
               .rmp = machine_.rmp,
               .cpus = cpus_,
               .protocols = protocols_,
               .event_pending = [] { return false; }}) {
    protocols_.Register(core_);
    machine_.GiveToGuest(kFirst, kCount);
    machine_.GiveToGuest(kLarge, 512);
    for (uint64_t i = 0; i < 512; ++i) {
      machine_.rmp.entry(kLarge + i * kPageSize).is_large = true;
    }
    machine_.GiveToGuest(kWindowPage, 1);
    Set(kWindowPage, PageState::kWindow);
    Set(kFirst, PageState::kCallingArea);
    Set(kSharedPage, PageState::kShared);
    for (const GuestPhys page : {kOwnVmsa, kOwnPage, kPoolPage}) {
      Set(page, page == kPoolPage ? PageState::kEnclavePool : PageState::kOwn);
      machine_.rmp.entry(page).is_validated = true;
      std::fill_n(machine_.memory.At(page), kPageSize, kCanary);
    }
    EXPECT_TRUE(cpus_.AddProcessor(kApicId).ok());
    EXPECT_TRUE(cpus_.AddProcessor(kOtherApicId).ok());
    EXPECT_TRUE(
        cpus_.Add({.vmsa = kOwnVmsa, .calling_area = kFirst, .apic_id = kApicId, .is_own = true})
            .ok());
  }

  void Step() {
    // The guest does as it likes with what it can write.
    const GuestPhys list = kFirst + Below(kCount) * kPageSize;
    if (machine_.rmp.GuestMayWrite(list)) {
      const uint64_t count = 1 + Below(4);
      svsm_pvalidate_header header = {};
      header.entries = static_cast<uint16_t>(count);
      *machine_.At<svsm_pvalidate_header>(list) = header;
      for (uint64_t i = 0; i < count; ++i) {
        *machine_.At<uint64_t>(list + sizeof(header) + i * 8) =
            AnyAddress() | Below(16) | (Below(8) == 0 ? Below(0x1000) : 0);
      }
    }
    const GuestPhys vmsa = kFirst + Below(kCount) * kPageSize;
    if (machine_.rmp.GuestMayWrite(vmsa) && Below(2) == 0) {
      snp_vmsa* state = machine_.At<snp_vmsa>(vmsa);
      state->vmpl = static_cast<uint8_t>(Below(8) == 0 ? 0 : 1);
      state->efer = SNP_EFER_SVME;
      state->sev_features = SNP_FEATURE_SNP;
      state->virtual_tom = 0;
    }
    const uint32_t call = static_cast<uint32_t>(Below(9));
    CallContext context;
    context.calling_area = cpus_.Find(kOwnVmsa).value().calling_area;
    context.vmsa = kOwnVmsa;
    context.registers = {call == SVSM_CORE_PVALIDATE && Below(8) != 0 ? list.raw() : AnyAddress(),
                         AnyAddress(), Below(3), 0};
    protocols_.Serve(SVSM_CALL(SVSM_PROTOCOL_CORE, call), context);
  }

  void CheckInvariants() {
    for (uint64_t i = 0; i < FakeMachine::kPages; ++i) {
      const GuestPhys page(i << kPageShift);
      const FakeRmpEntry& entry = machine_.rmp.entry(page);
      switch (machine_.pages.StateOf(page)) {
        case PageState::kGuest:
        case PageState::kFirmware:
        case PageState::kWindow:
        case PageState::kCallingArea:
          ASSERT_TRUE(entry.is_validated && entry.rights == SNP_RIGHTS_ALL && !entry.is_vmsa);
          break;
        case PageState::kShared:
          ASSERT_FALSE(entry.is_validated);
          break;
        case PageState::kVmsa:
          ASSERT_TRUE(entry.is_vmsa && entry.is_validated && entry.rights == SNP_RIGHT_READ);
          break;
        case PageState::kOwn:
        case PageState::kEnclavePool:
          ASSERT_TRUE(entry.is_validated && entry.rights == 0 && !entry.is_vmsa);
          break;
        case PageState::kAbsent:
          ASSERT_EQ(entry.rights, 0u);
          break;
      }
    }
    for (const GuestPhys page : {kOwnVmsa, kOwnPage, kPoolPage}) {
      const std::byte* bytes = machine_.memory.At(page);
      ASSERT_TRUE(std::all_of(bytes, bytes + kPageSize, [](std::byte b) { return b == kCanary; }));
    }
    // Each VMSA has its area, which it shares with none of another processor.
    uint64_t cpus = 0;
    std::map<uint64_t, uint32_t> areas;
    for (const uint32_t apic_id : {kApicId, kOtherApicId}) {
      for (size_t i = 0; cpus_.At(apic_id, i).ok(); ++i) {
        const GuestCpu cpu = cpus_.At(apic_id, i).value();
        ASSERT_EQ(machine_.pages.StateOf(cpu.calling_area), PageState::kCallingArea);
        ASSERT_EQ(machine_.pages.StateOf(cpu.vmsa),
                  cpu.is_own ? PageState::kOwn : PageState::kVmsa);
        const auto area = areas.emplace(cpu.calling_area.raw(), apic_id).first;
        ASSERT_EQ(area->second, apic_id);
        ++cpus;
      }
    }
    ASSERT_EQ(machine_.pages.Count(PageState::kCallingArea), areas.size());
    ASSERT_EQ(machine_.pages.Count(PageState::kVmsa), cpus - 1);
  }

  uint64_t guest_cpus() {
    uint64_t count = 0;
    while (cpus_.At(kOtherApicId, count).ok()) {
      ++count;
    }
    return count;
  }
  uint64_t shared_pages() { return machine_.pages.Count(PageState::kShared); }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  uint64_t AnyAddress() {
    switch (Below(10)) {
      case 0:
        return kOwnVmsa.raw() + Below(5) * kPageSize;
      case 1:
        return kLarge.raw() + (Below(2) == 0 ? 0 : Below(512) * kPageSize);
      case 2:
        return uint64_t{random_()} << 32 | random_();
      default:
        return kFirst.raw() + Below(kCount) * kPageSize;
    }
  }
  void Set(GuestPhys page, PageState state) {
    machine_.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(page, 1).value(), state);
  }

  std::mt19937 random_;
  FakeMachine machine_;
  GuestCpus cpus_;
  ProtocolTable protocols_;
  CoreProtocol core_;
};

TEST(CoreProtocolRandomTest, NoSequenceOfCallsBreaksOwnership) {
  uint64_t most_cpus = 0;
  uint64_t most_shared = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    RandomGuest guest(seed);
    for (int i = 0; i < 300; ++i) {
      guest.Step();
      ASSERT_NO_FATAL_FAILURE(guest.CheckInvariants()) << "seed " << seed << ", call " << i;
      most_cpus = std::max(most_cpus, guest.guest_cpus());
      most_shared = std::max(most_shared, guest.shared_pages());
    }
  }
  // The calls do get through: some of what they are for has happened.
  EXPECT_GE(most_cpus, 2u);
  EXPECT_GE(most_shared, 512u);
}

}  // namespace
}  // namespace nsgx::snp
