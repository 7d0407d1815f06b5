// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/host.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "vmpl-switch/emulator/monitor/fake_hardware.h"
#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr Page kGhcb = 800;
constexpr Page kShared = 810;  // and some behind it
constexpr Page kPrivate = 900;
constexpr Page kVmsa = 910;

firmware::CpuidResult FakeCpuid(uint32_t leaf, uint32_t subleaf) {
  return {.eax = leaf == 0 ? 0xd : leaf == 0x80000000 ? 0x8000001e : 1, .ebx = 2, .ecx = subleaf};
}

class HostTest : public testing::Test {
 protected:
  HostTest()
      : cpuid(FakeCpuid, kEncryptionBitNumber),
        host(hardware, machine.memory, machine.rmp, processors, 0, firmware, cpuid) {
    machine.MakePrivate(kPrivate);
    machine.MakePrivate(kVmsa);
    machine.rmp.SetRights(kVmsa, 1, 0, true);
    vmsa().vmpl = 1;
    vmsa().efer = SNP_EFER_SVME;
    vmsa().sev_features = SNP_FEATURE_SNP;
    contexts[0].registered_ghcb = AddressOf(kGhcb).raw();
    page().protocol_version = GHCB_VERSION;
  }

  snp_vmsa& vmsa() { return *reinterpret_cast<snp_vmsa*>(machine.memory.At(kVmsa)); }
  ghcb_page& page() { return *reinterpret_cast<ghcb_page*>(machine.memory.At(kGhcb)); }

  uint64_t ByMsr(uint64_t request, unsigned vmpl = 0) {
    contexts[vmpl].ghcb_msr = request;
    outcome = host.Call(contexts[vmpl]);
    return contexts[vmpl].ghcb_msr;
  }

  void SetValid(size_t offset) {
    page().valid_bitmap[offset / 64] =
        static_cast<uint8_t>(page().valid_bitmap[offset / 64] | 1u << (offset / 8 % 8));
  }
  void Set(uint64_t ghcb_page::* field, size_t offset, uint64_t value) {
    page().*field = value;
    SetValid(offset);
  }
  void SetRax(uint64_t value) { Set(&ghcb_page::rax, offsetof(ghcb_page, rax), value); }
  void SetRbx(uint64_t value) { Set(&ghcb_page::rbx, offsetof(ghcb_page, rbx), value); }
  void SetRcx(uint64_t value) { Set(&ghcb_page::rcx, offsetof(ghcb_page, rcx), value); }
  void SetScratch(uint64_t value) {
    Set(&ghcb_page::sw_scratch, offsetof(ghcb_page, sw_scratch), value);
  }

  // Returns info 1 of the answer.
  uint64_t ByPage(uint64_t code, uint64_t info1 = 0, uint64_t info2 = 0) {
    Set(&ghcb_page::sw_exit_code, offsetof(ghcb_page, sw_exit_code), code);
    Set(&ghcb_page::sw_exit_info_1, offsetof(ghcb_page, sw_exit_info_1), info1);
    Set(&ghcb_page::sw_exit_info_2, offsetof(ghcb_page, sw_exit_info_2), info2);
    contexts[0].ghcb_msr = AddressOf(kGhcb).raw();
    outcome = host.Call(contexts[0]);
    return page().sw_exit_info_1;
  }
  void ExpectMalformed(uint64_t reason) {
    EXPECT_EQ(page().sw_exit_info_1, uint64_t{GHCB_ANSWER_MALFORMED});
    EXPECT_EQ(page().sw_exit_info_2, reason);
  }

  TestMachine machine;
  FakeHardware hardware;
  Processors processors{2, hardware};
  Contexts& contexts = processors.At(0).contexts;
  firmware::SecureProcessor firmware;
  firmware::GuestCpuid cpuid;
  Host host;
  Host::Outcome outcome;
};

TEST_F(HostTest, SaysWhoItIs) {
  const uint64_t info = ByMsr(GHCB_MSR_INFO_REQUEST);
  EXPECT_EQ(GHCB_MSR_CODE(info), uint64_t{GHCB_MSR_INFO_RESPONSE});
  EXPECT_EQ(info >> 48, 2u);
  EXPECT_EQ(info >> 24 & 0xff, uint64_t{kEncryptionBitNumber});
  const uint64_t features = ByMsr(GHCB_MSR_FEATURES_REQUEST) >> 12;
  for (const uint64_t feature : {GHCB_FEATURE_SNP, GHCB_FEATURE_AP_CREATION,
                                 GHCB_FEATURE_RESTRICTED_INJECTION, GHCB_FEATURE_MULTI_VMPL}) {
    EXPECT_NE(features & feature, 0u) << feature;
  }
  EXPECT_EQ(ByPage(GHCB_EXIT_FEATURES), 0u);
  EXPECT_EQ(page().sw_exit_info_2, features);
}

TEST_F(HostTest, GivesTheSameCpuidByBothWays) {
  const uint64_t by_msr =
      ByMsr(uint64_t{SNP_CPUID_LEAF} << 32 | uint64_t{1} << 30 | GHCB_MSR_CPUID_REQUEST);
  EXPECT_EQ(by_msr >> 32 & 0x3f, uint64_t{kEncryptionBitNumber});
  SetRax(SNP_CPUID_LEAF);
  SetRcx(0);
  EXPECT_EQ(ByPage(SNP_EXIT_CPUID), 0u);
  EXPECT_EQ(page().rbx, by_msr >> 32);
}

TEST_F(HostTest, RegistersSharedPagesAlone) {
  constexpr uint64_t kRefused = 0xfffffffffffff000 | GHCB_MSR_REGISTER_RESPONSE;
  const uint64_t shared = AddressOf(kShared).raw();
  EXPECT_EQ(ByMsr(shared | GHCB_MSR_REGISTER_REQUEST), shared | GHCB_MSR_REGISTER_RESPONSE);
  EXPECT_EQ(contexts[0].registered_ghcb, shared);
  EXPECT_EQ(ByMsr(AddressOf(kPrivate).raw() | GHCB_MSR_REGISTER_REQUEST), kRefused);
  EXPECT_EQ(ByMsr(kHoleBegin.raw() | GHCB_MSR_REGISTER_REQUEST), kRefused);
  EXPECT_EQ(ByMsr(0xffffffffff000 | GHCB_MSR_REGISTER_REQUEST), kRefused);
  EXPECT_EQ(contexts[0].registered_ghcb, shared);
}

TEST_F(HostTest, ChangesPageStates) {
  const uint64_t request = AddressOf(kShared).raw() | GHCB_MSR_PAGE_STATE_REQUEST;
  EXPECT_EQ(ByMsr(request | uint64_t{GHCB_PAGE_PRIVATE} << 52), GHCB_MSR_PAGE_STATE_RESPONSE);
  EXPECT_TRUE(machine.rmp.entry(kShared).is_assigned);
  EXPECT_EQ(ByMsr(request | uint64_t{GHCB_PAGE_SHARED} << 52), GHCB_MSR_PAGE_STATE_RESPONSE);
  EXPECT_FALSE(machine.rmp.entry(kShared).is_assigned);
  EXPECT_NE(ByMsr(request | uint64_t{9} << 52) >> 32, 0u);
  EXPECT_NE(
      ByMsr(kHoleBegin.raw() | uint64_t{GHCB_PAGE_PRIVATE} << 52 | GHCB_MSR_PAGE_STATE_REQUEST) >>
          32,
      0u);
  // A VMSA stays where it is.
  EXPECT_NE(ByMsr(AddressOf(kVmsa).raw() | uint64_t{GHCB_PAGE_SHARED} << 52 |
                  GHCB_MSR_PAGE_STATE_REQUEST) >>
                32,
            0u);
  EXPECT_TRUE(machine.rmp.entry(kVmsa).is_vmsa);
}

TEST_F(HostTest, EndsTheMachineWhenAGuestSaysSo) {
  ByMsr(GHCB_MSR_TERMINATE | 7u << 12 | 23u << 16);
  ASSERT_TRUE(outcome.end.has_value());
  EXPECT_EQ(outcome.end->kind, End::Kind::kTerminated);
  EXPECT_EQ(outcome.end->details[0], 7u);
  EXPECT_EQ(outcome.end->details[1], 23u);
  ByMsr(0xabc);
  EXPECT_TRUE(outcome.end.has_value());
}

TEST_F(HostTest, RunsOnlyWhatHasAVmsaThatCanBeRun) {
  const uint64_t request = uint64_t{1} << 32 | GHCB_MSR_RUN_VMPL_REQUEST;
  EXPECT_NE(ByMsr(request) >> 32, 0u);
  EXPECT_FALSE(outcome.run_vmpl.has_value());
  contexts[1].vmsa = &vmsa();
  contexts[1].vmsa_page = kVmsa;
  EXPECT_EQ(ByMsr(request), GHCB_MSR_RUN_VMPL_RESPONSE);
  EXPECT_EQ(outcome.run_vmpl, 1u);

  vmsa().efer = 0;  // as software does while it changes a VMSA
  EXPECT_NE(ByMsr(request) >> 32, 0u);
  vmsa().efer = SNP_EFER_SVME;
  vmsa().vmpl = 2;
  EXPECT_NE(ByMsr(request) >> 32, 0u);
  vmsa().vmpl = 1;
  vmsa().sev_features = SNP_FEATURE_SNP | 2;  // vTOM
  EXPECT_NE(ByMsr(request) >> 32, 0u);
  vmsa().sev_features = SNP_FEATURE_SNP;
  machine.rmp.SetRights(kVmsa, 1, 0, false);  // no VMSA any more
  EXPECT_NE(ByMsr(request) >> 32, 0u);
  EXPECT_NE(ByMsr(uint64_t{200} << 32 | GHCB_MSR_RUN_VMPL_REQUEST) >> 32, 0u);
}

TEST_F(HostTest, LooksAtThePageFirst) {
  contexts[0].registered_ghcb = AddressOf(kShared).raw();
  ByPage(GHCB_EXIT_FEATURES);
  ExpectMalformed(GHCB_MALFORMED_NOT_REGISTERED);
  contexts[0].registered_ghcb = AddressOf(kGhcb).raw();
  page().usage = 1;
  ByPage(GHCB_EXIT_FEATURES);
  ExpectMalformed(GHCB_MALFORMED_USAGE);
  page().usage = 0;
  page().protocol_version = 3;
  ByPage(GHCB_EXIT_FEATURES);
  ExpectMalformed(GHCB_MALFORMED_USAGE);
  page().protocol_version = 2;
  ByPage(0x12345);
  ExpectMalformed(GHCB_MALFORMED_INVALID_EVENT);
}

TEST_F(HostTest, CannotAnswerInAPrivatePage) {
  contexts[0].registered_ghcb = AddressOf(kPrivate).raw();
  contexts[0].ghcb_msr = AddressOf(kPrivate).raw();
  outcome = host.Call(contexts[0]);
  EXPECT_TRUE(outcome.end.has_value());
}

TEST_F(HostTest, WantsItsInputs) {
  ByPage(SNP_EXIT_CPUID);
  ExpectMalformed(GHCB_MALFORMED_MISSING_INPUT);
  ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(0x3f8) | GHCB_IO_8);
  ExpectMalformed(GHCB_MALFORMED_MISSING_INPUT);
  ByPage(GHCB_EXIT_PAGE_STATE);
  ExpectMalformed(GHCB_MALFORMED_MISSING_INPUT);
}

TEST_F(HostTest, ReachesPorts) {
  SetRax(0x1234567890);
  EXPECT_EQ(ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(0x3f8) | GHCB_IO_8), 0u);
  EXPECT_EQ(ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(0x510) | GHCB_IO_16), 0u);
  const std::vector<FakeHardware::PortWrite> expected = {{0x3f8, 1, 0x90}, {0x510, 2, 0x7890}};
  EXPECT_EQ(hardware.outputs, expected);
  hardware.inputs[0x3fd] = 0xffffff60;
  EXPECT_EQ(ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(0x3fd) | GHCB_IO_8 | GHCB_IO_IN), 0u);
  EXPECT_EQ(page().rax, 0x60u);
}

TEST_F(HostTest, MovesStringsFromSharedMemoryAlone) {
  const uint64_t info = GHCB_IO_PORT(0x3f8) | GHCB_IO_8 | GHCB_IO_STRING | GHCB_IO_REP;
  page().buffer[0] = 'h';
  page().buffer[1] = 'i';
  SetScratch(AddressOf(kGhcb).raw() + offsetof(ghcb_page, buffer));
  EXPECT_EQ(ByPage(SNP_EXIT_IOIO, info, 2), 0u);
  const std::vector<FakeHardware::PortWrite> expected = {{0x3f8, 1, 'h'}, {0x3f8, 1, 'i'}};
  EXPECT_EQ(hardware.outputs, expected);
  SetScratch(AddressOf(kPrivate).raw());
  ByPage(SNP_EXIT_IOIO, info, 2);
  ExpectMalformed(GHCB_MALFORMED_SCRATCH);
  // The last bytes are in a private page.
  SetScratch(AddressOf(kPrivate).raw() - 1);
  ByPage(SNP_EXIT_IOIO, info, 2);
  ExpectMalformed(GHCB_MALFORMED_SCRATCH);
  SetScratch(~uint64_t{0});
  ByPage(SNP_EXIT_IOIO, info, 2);
  ExpectMalformed(GHCB_MALFORMED_SCRATCH);
  SetScratch(AddressOf(kGhcb).raw());
  ByPage(SNP_EXIT_IOIO, info, ~uint64_t{0});
  ExpectMalformed(GHCB_MALFORMED_SCRATCH);
  EXPECT_EQ(hardware.outputs, expected);
}

TEST_F(HostTest, EndsTheMachineAtThePortsThatDo) {
  struct Case {
    uint16_t port;
    uint64_t size;
    uint64_t value;
    bool ends;
  };
  for (const Case& item : {
           Case{kPowerPort, GHCB_IO_16, 0x2001, true},
           Case{kPowerPort, GHCB_IO_16, 0x0001, false},
           Case{kResetPort, GHCB_IO_8, 0x06, true},
           Case{kResetPort, GHCB_IO_8, 0x02, false},
           Case{kKeyboardPort, GHCB_IO_8, 0xfe, true},
           Case{kKeyboardPort, GHCB_IO_8, 0xae, false},
           Case{kPortA, GHCB_IO_8, 0x03, true},
           Case{0xcf8, GHCB_IO_32, 0x80000600, false},
       }) {
    SetRax(item.value);
    ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(item.port) | item.size);
    EXPECT_EQ(outcome.end.has_value(), item.ends) << std::hex << item.port << " " << item.value;
  }
}

TEST_F(HostTest, KeepsGuestsAwayFromItsLog) {
  SetRax('!');
  ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(kLogPort) | GHCB_IO_8);
  EXPECT_TRUE(hardware.outputs.empty());
}

struct FwCfgAccess {
  uint32_t control;
  uint32_t length;
  uint64_t address;
};

TEST_F(HostTest, LetsFwCfgReachSharedMemoryAlone) {
  auto* access = reinterpret_cast<FwCfgAccess*>(machine.memory.At(kShared));
  const auto start = [&](uint64_t descriptor) {
    SetRax(__builtin_bswap32(static_cast<uint32_t>(descriptor >> 32)));
    ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(FwCfgGate::kHighPort) | GHCB_IO_32);
    SetRax(__builtin_bswap32(static_cast<uint32_t>(descriptor)));
    ByPage(SNP_EXIT_IOIO, GHCB_IO_PORT(FwCfgGate::kLowPort) | GHCB_IO_32);
    const size_t count = hardware.outputs.size();
    hardware.outputs.clear();
    return count != 0;
  };
  constexpr uint32_t kRead = 2;
  *access = {__builtin_bswap32(kRead), __builtin_bswap32(64),
             __builtin_bswap64(AddressOf(kShared + 1).raw())};
  EXPECT_TRUE(start(AddressOf(kShared).raw()));
  // Data, or their last byte, in a private page: the error bit, and nothing happens.
  for (const uint64_t target : {AddressOf(kPrivate).raw(), AddressOf(kPrivate).raw() - 63,
                                uint64_t{kGuestEnd.raw()}, ~uint64_t{0} - 16}) {
    *access = {__builtin_bswap32(kRead), __builtin_bswap32(64), __builtin_bswap64(target)};
    EXPECT_FALSE(start(AddressOf(kShared).raw())) << std::hex << target;
    EXPECT_EQ(__builtin_bswap32(access->control) & 1, 1u) << std::hex << target;
  }
  EXPECT_FALSE(start(AddressOf(kPrivate).raw()));
}

TEST_F(HostTest, GoesThroughAListOfPageStates) {
  auto* header = reinterpret_cast<ghcb_page_state_header*>(page().buffer);
  auto* entries = reinterpret_cast<uint64_t*>(page().buffer + sizeof(*header));
  SetScratch(AddressOf(kGhcb).raw() + offsetof(ghcb_page, buffer));
  constexpr Page kLarge = 2 * TestMachine::kPagesPerLarge;
  *header = {.next = 0, .end = 1, .reserved = 0};
  entries[0] = AddressOf(kShared).raw() | uint64_t{GHCB_PAGE_PRIVATE} << 52;
  entries[1] = AddressOf(kLarge).raw() | uint64_t{GHCB_PAGE_PRIVATE} << 52 | uint64_t{1} << 56;
  EXPECT_EQ(ByPage(GHCB_EXIT_PAGE_STATE), 0u);
  EXPECT_EQ(page().sw_exit_info_2, 0u);
  EXPECT_EQ(header->next, 2u);
  EXPECT_TRUE(machine.rmp.entry(kShared).is_assigned);
  EXPECT_TRUE(machine.rmp.entry(kLarge + 511).is_large);

  // It stops where it can't go on, and says so.
  *header = {.next = 0, .end = 2, .reserved = 0};
  entries[0] = AddressOf(kShared).raw() | uint64_t{GHCB_PAGE_SHARED} << 52;
  entries[1] = kHoleBegin.raw() | uint64_t{GHCB_PAGE_SHARED} << 52;
  entries[2] = AddressOf(kLarge).raw() | uint64_t{GHCB_PAGE_SHARED} << 52;
  EXPECT_EQ(ByPage(GHCB_EXIT_PAGE_STATE), 0u);
  EXPECT_NE(page().sw_exit_info_2, 0u);
  EXPECT_EQ(header->next, 1u);
  EXPECT_FALSE(machine.rmp.entry(kShared).is_assigned);
  EXPECT_TRUE(machine.rmp.entry(kLarge).is_assigned);

  *header = {.next = 5, .end = 2, .reserved = 0};
  ByPage(GHCB_EXIT_PAGE_STATE);
  EXPECT_NE(page().sw_exit_info_2, 0u);
  *header = {.next = 0, .end = 0xffff, .reserved = 0};
  ByPage(GHCB_EXIT_PAGE_STATE);
  EXPECT_NE(page().sw_exit_info_2, 0u);
  SetScratch(AddressOf(kPrivate).raw());
  ByPage(GHCB_EXIT_PAGE_STATE);
  ExpectMalformed(GHCB_MALFORMED_SCRATCH);
}

TEST_F(HostTest, TakesVmsasForProcessorsThatThereAre) {
  SetRax(SNP_FEATURE_SNP);
  const uint64_t vmpl1 = uint64_t{1} << 16;
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_CREATION, vmpl1, AddressOf(kVmsa).raw()), 0u);
  EXPECT_EQ(contexts[1].vmsa, &vmsa());
  for (const auto& [info1, info2] : {
           std::pair{vmpl1, AddressOf(kPrivate).raw()},                   // no VMSA
           std::pair{vmpl1, AddressOf(kShared).raw()},                    // not even private
           std::pair{vmpl1, AddressOf(kVmsa).raw() + 8},                  // not a page
           std::pair{uint64_t{0}, AddressOf(kVmsa).raw()},                // it runs
           std::pair{uint64_t{9} << 16, AddressOf(kVmsa).raw()},          // no VMPL
           std::pair{vmpl1 | uint64_t{2} << 32, AddressOf(kVmsa).raw()},  // no third processor
           std::pair{vmpl1 | 7, AddressOf(kVmsa).raw()},                  // no operation
       }) {
    ByPage(GHCB_EXIT_AP_CREATION, info1, info2);
    ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  }
  EXPECT_EQ(contexts[1].vmsa, &vmsa());
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_CREATION, vmpl1 | GHCB_AP_DESTROY), 0u);
  EXPECT_EQ(contexts[1].vmsa, nullptr);
}

TEST_F(HostTest, StartsAProcessorThatIsHeld) {
  VirtualProcessor& other = processors.At(1);
  const uint64_t on_other = uint64_t{1} << 16 | uint64_t{1} << 32;
  SetRax(SNP_FEATURE_SNP);
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_CREATION, on_other, AddressOf(kVmsa).raw()), 0u);
  // On INIT, which nobody sends here.
  EXPECT_TRUE(other.is_held);
  vmsa().efer = 0;
  ByPage(GHCB_EXIT_AP_CREATION, on_other | GHCB_AP_CREATE, AddressOf(kVmsa).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  EXPECT_TRUE(other.is_held);
  vmsa().efer = SNP_EFER_SVME;
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_CREATION, on_other | GHCB_AP_CREATE, AddressOf(kVmsa).raw()), 0u);
  EXPECT_FALSE(other.is_held);
  EXPECT_EQ(hardware.nmis, std::vector<unsigned>{1});
  EXPECT_EQ(other.contexts[1].vmsa, &vmsa());
  // It runs now, and keeps what it runs with.
  for (const uint64_t operation : {GHCB_AP_CREATE, GHCB_AP_CREATE_ON_INIT, GHCB_AP_DESTROY}) {
    ByPage(GHCB_EXIT_AP_CREATION, on_other | operation, AddressOf(kVmsa).raw());
    ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  }
  EXPECT_EQ(other.contexts[1].vmsa, &vmsa());
  EXPECT_FALSE(other.is_wanted);
}

TEST_F(HostTest, RemembersACreationThatCameBeforeTheHold) {
  VirtualProcessor& other = processors.At(1);
  other.is_held = false;  // in VMPL0
  const uint64_t on_other = uint64_t{1} << 16 | uint64_t{1} << 32;
  SetRax(SNP_FEATURE_SNP);
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_CREATION, on_other, AddressOf(kVmsa).raw()), 0u);
  EXPECT_FALSE(other.is_wanted);
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_CREATION, on_other | GHCB_AP_CREATE, AddressOf(kVmsa).raw()), 0u);
  EXPECT_TRUE(other.is_wanted);
  EXPECT_TRUE(hardware.nmis.empty());
}

TEST_F(HostTest, StartsNobodyWithAStateThatRuns) {
  machine.rmp.SetRunning(kVmsa, true);
  SetRax(SNP_FEATURE_SNP);
  ByPage(GHCB_EXIT_AP_CREATION, uint64_t{1} << 16 | uint64_t{1} << 32 | GHCB_AP_CREATE,
         AddressOf(kVmsa).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  EXPECT_TRUE(processors.At(1).is_held);
}

TEST_F(HostTest, LetsNobodyMakeWhatIsAboveIt) {
  contexts[1].registered_ghcb = AddressOf(kGhcb).raw();
  contexts[1].ghcb_msr = AddressOf(kGhcb).raw();
  processors.At(0).current = 1;
  vmsa().vmpl = 0;
  SetRax(SNP_FEATURE_SNP);
  Set(&ghcb_page::sw_exit_code, offsetof(ghcb_page, sw_exit_code), GHCB_EXIT_AP_CREATION);
  Set(&ghcb_page::sw_exit_info_1, offsetof(ghcb_page, sw_exit_info_1),
      GHCB_AP_CREATE | uint64_t{1} << 32);
  Set(&ghcb_page::sw_exit_info_2, offsetof(ghcb_page, sw_exit_info_2), AddressOf(kVmsa).raw());
  host.Call(contexts[1]);
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  EXPECT_EQ(processors.At(1).contexts[0].vmsa, nullptr);
}

TEST_F(HostTest, SaysWhichProcessorsThereAre) {
  SetRax(AddressOf(kShared).raw());
  SetRbx(1);
  EXPECT_EQ(ByPage(GHCB_EXIT_APIC_IDS), 0u);
  const auto* list = reinterpret_cast<const uint32_t*>(machine.memory.At(kShared));
  EXPECT_EQ(list[0], 2u);
  EXPECT_EQ(list[1], 0u);
  EXPECT_EQ(list[2], 1u);
}

TEST_F(HostTest, HoldsAProcessorThatAsksForIt) {
  EXPECT_EQ(GHCB_MSR_CODE(ByMsr(GHCB_MSR_AP_RESET_HOLD_REQUEST)),
            uint64_t{GHCB_MSR_AP_RESET_HOLD_RESPONSE});
  EXPECT_TRUE(outcome.holds);
  EXPECT_FALSE(outcome.end.has_value());
  EXPECT_EQ(ByPage(GHCB_EXIT_AP_RESET_HOLD), 0u);
  EXPECT_NE(page().sw_exit_info_2, 0u);
  EXPECT_TRUE(outcome.holds);
}

TEST_F(HostTest, RingsTheDoorbellInSharedMemoryAlone) {
  auto* doorbell = reinterpret_cast<ghcb_doorbell*>(machine.memory.At(kShared));
  EXPECT_FALSE(host.RingDoorbell(contexts[0], 1));
  ByPage(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_SET, AddressOf(kPrivate).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  EXPECT_EQ(ByPage(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_SET, AddressOf(kShared).raw()), 0u);
  EXPECT_EQ(ByPage(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_QUERY), 0u);
  EXPECT_EQ(page().sw_exit_info_2, AddressOf(kShared).raw());

  EXPECT_TRUE(host.RingDoorbell(contexts[0], 1));
  EXPECT_EQ(doorbell->per_vmpl_events, 1);
  // Told not to signal it still writes.
  *doorbell = {};
  doorbell->flags = GHCB_DOORBELL_NO_FURTHER_SIGNAL;
  EXPECT_FALSE(host.RingDoorbell(contexts[0], 2));
  EXPECT_EQ(doorbell->per_vmpl_events, 2);

  ASSERT_TRUE(machine.rmp.Assign(kShared, 1, false).ok());
  *doorbell = {};
  EXPECT_FALSE(host.RingDoorbell(contexts[0], 1));
  EXPECT_EQ(doorbell->per_vmpl_events, 0);
}

TEST_F(HostTest, HandsMessagesOnFromSharedPages) {
  ByPage(GHCB_EXIT_GUEST_REQUEST, AddressOf(kPrivate).raw(), AddressOf(kShared).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  ByPage(GHCB_EXIT_GUEST_REQUEST, AddressOf(kShared).raw(), AddressOf(kPrivate).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  ByPage(GHCB_EXIT_GUEST_REQUEST, AddressOf(kShared).raw() + 16, AddressOf(kShared + 1).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
  // A guest that was not launched has no keys: the firmware's own error.
  EXPECT_EQ(ByPage(GHCB_EXIT_GUEST_REQUEST, AddressOf(kShared).raw(), AddressOf(kShared + 1).raw()),
            0u);
  EXPECT_EQ(page().sw_exit_info_2,
            static_cast<uint64_t>(firmware::FirmwareStatus::kInvalidGuestState));
}

TEST_F(HostTest, SaysHowManyPagesCertificatesTake) {
  SetRax(AddressOf(kShared + 2).raw());
  SetRbx(0);
  EXPECT_EQ(ByPage(GHCB_EXIT_EXTENDED_GUEST_REQUEST, AddressOf(kShared).raw(),
                   AddressOf(kShared + 1).raw()),
            0u);
  EXPECT_EQ(page().sw_exit_info_2 >> 32, uint64_t{GHCB_REQUEST_TOO_SMALL});
  EXPECT_GT(page().rbx, 0u);
  // Not into private memory.
  SetRax(AddressOf(kPrivate).raw());
  SetRbx(16);
  ByPage(GHCB_EXIT_EXTENDED_GUEST_REQUEST, AddressOf(kShared).raw(), AddressOf(kShared + 1).raw());
  ExpectMalformed(GHCB_MALFORMED_INVALID_INPUT);
}

// Whatever is in the page: an answer, an end, but nothing written to private memory.
TEST_F(HostTest, SurvivesAnyPage) {
  constexpr uint64_t kCodes[] = {
      SNP_EXIT_CPUID,        SNP_EXIT_IOIO,           SNP_EXIT_MSR,
      GHCB_EXIT_PAGE_STATE,  GHCB_EXIT_GUEST_REQUEST, GHCB_EXIT_EXTENDED_GUEST_REQUEST,
      GHCB_EXIT_AP_CREATION, GHCB_EXIT_DOORBELL,      GHCB_EXIT_APIC_IDS,
      GHCB_EXIT_RUN_VMPL,    GHCB_EXIT_FEATURES};
  std::byte before[kPageSize];
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const auto number = [&]() -> uint64_t {
      switch (random.Below(5)) {
        case 0:
          return random.Below(16);
        case 1:
          return AddressOf(kPrivate).raw() + random.Below(2) * random.Below(kPageSize);
        case 2:
          return AddressOf(kShared + random.Below(4)).raw();
        case 3:
          return AddressOf(kGhcb).raw() + offsetof(ghcb_page, buffer);
        default:
          return random.Next();
      }
    };
    if (machine.rmp.entry(kGhcb).is_assigned) {
      ASSERT_TRUE(machine.rmp.Share(kGhcb, 1).ok());
    }
    std::memset(&page(), 0, sizeof(page()));
    page().protocol_version = GHCB_VERSION;
    for (size_t i = 0; i < GHCB_BUFFER_SIZE / 8; ++i) {
      const uint64_t value = number();
      std::memcpy(page().buffer + i * 8, &value, sizeof(value));
    }
    SetRax(number());
    SetRbx(number());
    SetRcx(number());
    SetScratch(number());
    std::memcpy(before, machine.memory.At(kPrivate), kPageSize);
    contexts[0].registered_ghcb = AddressOf(kGhcb).raw();
    ByPage(kCodes[random.Below(std::size(kCodes))], number(), number());
    if (machine.rmp.entry(kPrivate).is_validated) {
      ASSERT_EQ(std::memcmp(before, machine.memory.At(kPrivate), kPageSize), 0);
    } else {
      machine.MakePrivate(kPrivate);
    }
    hardware.outputs.clear();
  }
}

}  // namespace
}  // namespace nsgx::emu
