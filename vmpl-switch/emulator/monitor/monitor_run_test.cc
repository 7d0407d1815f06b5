// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/monitor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "vmpl-switch/emulator/monitor/fake_hardware.h"
#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kCode = 0x40'0000;
constexpr Page kCodePage = 700;
constexpr uint64_t kTables = 0x50'0000;  // IDT
constexpr Page kTablesPage = 701;
constexpr uint64_t kStack = 0x60'0000;
constexpr Page kStackPage = 702;
constexpr Page kGhcb = 800;
constexpr Page kDoorbell = 801;
constexpr Page kVmsa = 810;
constexpr uint64_t kHandler = 0x41'0000;

constexpr uint64_t kGp =
    kVectorGeneralProtection | kEventTypeException | kEventHasError | kEventValid;
constexpr uint64_t kNmi = kVectorNmi | kEventTypeNmi | kEventValid;
constexpr uint64_t kHv = SNP_VECTOR_HV | kEventTypeException | kEventValid;

firmware::CpuidResult FakeCpuid(uint32_t, uint32_t) { return {}; }

// VMPL0 with paging, a stack and a handler for #VC; VMPL1 with the same memory.
class MonitorRunTest : public testing::Test {
 protected:
  MonitorRunTest()
      : tables(machine.rmp),
        cpuid(FakeCpuid, kEncryptionBitNumber),
        paranoia(false, 1),
        maps(std::make_unique<InterceptMaps>()),
        vmcbs(std::make_unique<VmcbPages>()),
        launch(std::make_unique<snp_vmsa>()) {
    for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
      memory[vmpl] = std::make_unique<VmplTables>();
      tables.Initialize(vmpl, *memory[vmpl], vmpl != 0);
    }
    FillMaps(*maps);
    tables.RefreshAll();
    machine.rmp.SetObserver(&tables);
    monitor = std::make_unique<Monitor>(hardware, machine.memory, machine.rmp, tables, processors,
                                        0, firmware, cpuid, paranoia, *maps, *vmcbs);
    for (const auto& [linear, page] :
         {std::pair{kCode, kCodePage}, {kTables, kTablesPage}, {kStack, kStackPage}}) {
      machine.MakePrivate(page);
      machine.Map(linear, page);
    }
    const uint64_t gate[2] = {(kHandler & 0xffff) | uint64_t{8} << 16 | uint64_t{0x8e} << 40 |
                                  (kHandler >> 16 & 0xffff) << 48,
                              kHandler >> 32};
    std::memcpy(machine.memory.At(kTablesPage) + size_t{16} * SNP_VECTOR_VC, gate, sizeof(gate));
    machine.save.idtr = {.selector = 0, .attributes = 0, .limit = 0x1ff, .base = kTables};
    machine.save.rip = kCode;
    machine.save.rsp = kStack + 0x800;
    FillVmsa(*launch, 0, SNP_FEATURE_SNP | SNP_FEATURE_RESTRICTED_INJECTION);
  }

  void FillVmsa(snp_vmsa& vmsa, uint8_t vmpl, uint64_t features) {
    GeneralRegisters registers = {};
    FxState fx = {};
    std::array<uint64_t, 4> dr = {};
    uint64_t tsc_aux = 0;
    vmsa.vmpl = vmpl;
    StoreToVmsa(
        {.save = &machine.save, .registers = &registers, .fx = &fx, .dr = &dr, .tsc_aux = &tsc_aux},
        vmsa);
    vmsa.sev_features = features;
  }
  snp_vmsa& vmsa1() { return *reinterpret_cast<snp_vmsa*>(machine.memory.At(kVmsa)); }
  void GiveToVmpl1(Page page) { machine.rmp.SetRights(page, 1, SNP_RIGHTS_ALL, false); }

  // The bytes at RIP of whoever runs.
  void SetInstruction(std::vector<int> bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      machine.memory.At(kCodePage)[i] = static_cast<std::byte>(bytes[i]);
    }
  }

  // ---- steps of guests ----
  using Step = FakeHardware::Step;
  void Then(Step step) { hardware.steps.push_back(std::move(step)); }
  static void Exit(Vmcb& vmcb, uint64_t code, uint64_t info1 = 0, uint64_t info2 = 0) {
    vmcb.control.exit_code = code;
    vmcb.control.exit_info_1 = info1;
    vmcb.control.exit_info_2 = info2;
  }
  static Step WriteMsr(uint32_t number, uint64_t value) {
    return [=](Vmcb& vmcb, GeneralRegisters& registers, bool) {
      vmcb.save.rip = kCode;
      registers.rcx = number;
      vmcb.save.rax = value & 0xffffffff;
      registers.rdx = value >> 32;
      Exit(vmcb, SNP_EXIT_MSR, 1);
    };
  }
  Step VmgExit() {
    return [this](Vmcb& vmcb, GeneralRegisters&, bool) {
      SetInstruction({0xf3, 0x0f, 0x01, 0xd9});
      vmcb.save.rip = kCode;
      Exit(vmcb, SNP_EXIT_VMMCALL);
    };
  }
  void RequestByMsr(uint64_t request) {
    Then(WriteMsr(SNP_MSR_GHCB, request));
    Then(VmgExit());
  }
  void RequestByPage(uint64_t code, uint64_t info1, uint64_t info2, uint64_t rax = 0) {
    RequestByMsr(AddressOf(kGhcb).raw() | GHCB_MSR_REGISTER_REQUEST);
    Then([=, this](Vmcb& vmcb, GeneralRegisters& registers, bool takes) {
      auto& page = *reinterpret_cast<ghcb_page*>(machine.memory.At(kGhcb));
      page = {};
      page.protocol_version = GHCB_VERSION;
      page.sw_exit_code = code;
      page.sw_exit_info_1 = info1;
      page.sw_exit_info_2 = info2;
      page.rax = rax;
      std::memset(page.valid_bitmap, 0xff, sizeof(page.valid_bitmap));
      WriteMsr(SNP_MSR_GHCB, AddressOf(kGhcb).raw())(vmcb, registers, takes);
    });
    Then(VmgExit());
  }
  // Makes VMPL1 a processor with the same state as VMPL0, and runs it.
  void StartVmpl1() {
    machine.MakePrivate(kVmsa);
    machine.rmp.SetRights(kVmsa, 1, 0, true);
    FillVmsa(vmsa1(), 1, SNP_FEATURE_SNP);
    for (Page page = TestMachine::kPages - 16; page < TestMachine::kPages; ++page) {
      if (machine.rmp.entry(page).is_assigned) {
        GiveToVmpl1(page);
      }
    }
    GiveToVmpl1(kCodePage);
    GiveToVmpl1(kTablesPage);
    GiveToVmpl1(kStackPage);
    RequestByPage(GHCB_EXIT_AP_CREATION, uint64_t{1} << 16, AddressOf(kVmsa).raw(),
                  SNP_FEATURE_SNP);
    Run(1);
  }
  void Run(unsigned vmpl) { RequestByMsr(uint64_t{vmpl} << 32 | GHCB_MSR_RUN_VMPL_REQUEST); }

  End Finish() {
    Then([](Vmcb& vmcb, GeneralRegisters&, bool) { Exit(vmcb, SNP_EXIT_SHUTDOWN); });
    const End end = monitor->Run(*launch);
    EXPECT_EQ(hardware.next, hardware.steps.size());
    return end;
  }

  TestMachine machine;
  std::unique_ptr<VmplTables> memory[kVmpls];
  NestedTables tables;
  FakeHardware hardware;
  Processors processors{1, hardware};
  firmware::SecureProcessor firmware;
  firmware::GuestCpuid cpuid;
  Paranoia paranoia;
  std::unique_ptr<InterceptMaps> maps;
  std::unique_ptr<VmcbPages> vmcbs;
  std::unique_ptr<snp_vmsa> launch;
  std::unique_ptr<Monitor> monitor;
};

TEST_F(MonitorRunTest, StartsVmpl0FromItsVmsa) {
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool takes_interrupts) {
    EXPECT_EQ(vmcb.save.rip, kCode);
    EXPECT_EQ(vmcb.control.nested_cr3, tables.Root(0, true));
    EXPECT_NE(vmcb.save.efer & SNP_EFER_SVME, 0u);
    EXPECT_NE(vmcb.control.intercept3 & kIntercept3Intr, 0u);
    // There is no doorbell to ring.
    EXPECT_FALSE(takes_interrupts);
    Exit(vmcb, SNP_EXIT_SHUTDOWN);
  });
  EXPECT_EQ(monitor->Run(*launch).kind, End::Kind::kShutdown);
}

TEST_F(MonitorRunTest, AnswersTheRegistersOfAnSnpProcessor) {
  const auto read = [&](uint32_t number, auto check) {
    Then([=](Vmcb& vmcb, GeneralRegisters& registers, bool) {
      registers.rcx = number;
      vmcb.save.rip = kCode;
      Exit(vmcb, SNP_EXIT_MSR, 0);
    });
    Then([=](Vmcb& vmcb, GeneralRegisters& registers, bool) {
      EXPECT_EQ(vmcb.save.rip, kCode + 2);
      check(vmcb.save.rax | registers.rdx << 32);
      Exit(vmcb, kExitVintr);
    });
  };
  read(SNP_MSR_SEV_STATUS, [](uint64_t value) {
    EXPECT_EQ(value, SNP_STATUS_SEV | SNP_STATUS_SEV_ES | SNP_STATUS_SEV_SNP |
                         SNP_STATUS_RESTRICTED_INJECTION);
  });
  read(kMsrEfer, [](uint64_t value) { EXPECT_EQ(value & SNP_EFER_SVME, 0u); });
  Then(WriteMsr(SNP_MSR_GHCB, 0x1234'5678'9abc'd000));
  read(SNP_MSR_GHCB, [](uint64_t value) { EXPECT_EQ(value, 0x1234'5678'9abc'd000u); });
  Then(WriteMsr(SNP_MSR_SEV_STATUS, 0));
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, kGp);
    Exit(vmcb, kExitVintr);
  });
  Finish();
}

TEST_F(MonitorRunTest, FollowsTheStepToPaging) {
  launch->cr0 = kCr0Protection;
  launch->efer = SNP_EFER_SVME | kEferLongEnable;
  launch->cs.attributes = 0xc9b;
  launch->rip = AddressOf(kCodePage).raw();
  SetInstruction({0x0f, 0x22, 0xc3});  // mov %ebx, %cr0
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool) {
    EXPECT_EQ(vmcb.control.nested_cr3, tables.Root(0, false));
    registers.rbx = kCr0Paging | kCr0Protection;
    Exit(vmcb, kExitWriteCr0);
  });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.nested_cr3, tables.Root(0, true));
    EXPECT_NE(vmcb.save.efer & kEferLongActive, 0u);
    EXPECT_EQ(vmcb.save.rip, AddressOf(kCodePage).raw() + 3);
    Exit(vmcb, kExitVintr);
  });
  Finish();
}

TEST_F(MonitorRunTest, ExecutesSnpInstructionsAndNoOthers) {
  constexpr Page kNew = 850;
  machine.Map(0x70'0000, kNew);
  ASSERT_TRUE(machine.rmp.Assign(kNew, 1, false).ok());
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool) {
    SetInstruction({0xf2, 0x0f, 0x01, 0xff});
    vmcb.save.rax = 0x70'0000;
    registers.rcx = 0;
    registers.rdx = 1;
    vmcb.save.rflags |= kRflagsCarry;
    Exit(vmcb, kExitInvalidOpcode);
  });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_TRUE(machine.rmp.entry(kNew).is_validated);
    EXPECT_EQ(vmcb.save.rax, uint64_t{SNP_OK});
    EXPECT_EQ(vmcb.save.rflags & kRflagsCarry, 0u);
    EXPECT_EQ(vmcb.save.rip, kCode + 4);
    EXPECT_EQ(vmcb.control.event_inj, 0u);
    SetInstruction({0x0f, 0x0b});
    vmcb.save.rip = kCode;
    Exit(vmcb, kExitInvalidOpcode);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj,
              uint64_t{kVectorInvalidOpcode} | kEventTypeException | kEventValid);
    EXPECT_EQ(vmcb.save.rip, kCode);
    Exit(vmcb, kExitVintr);
  });
  Finish();
}

TEST_F(MonitorRunTest, ReflectsWhatTheGuestAsksItsHostFor) {
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) { Exit(vmcb, SNP_EXIT_CPUID); });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.save.rip, kHandler);
    uint64_t error = 0;
    std::memcpy(&error, machine.memory.At(kStackPage) + (vmcb.save.rsp - kStack), sizeof(error));
    EXPECT_EQ(error, uint64_t{SNP_EXIT_CPUID});
    Exit(vmcb, kExitVintr);
  });
  Finish();
  EXPECT_EQ(processors.counters().reflected_cpuid, 1u);
}

TEST_F(MonitorRunTest, HearsRing3AsAProcessorDoes) {
  Then(WriteMsr(SNP_MSR_GHCB, GHCB_MSR_TERMINATE));
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool takes) {
    VmgExit()(vmcb, registers, takes);
    vmcb.save.cpl = 3;
  });
  EXPECT_EQ(monitor->Run(*launch).kind, End::Kind::kTerminated);
}

TEST_F(MonitorRunTest, HandsTheProcessorFromVmplToVmplByTheirVmsas) {
  hardware.tsc_aux = 5;
  StartVmpl1();
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool) {
    EXPECT_EQ(&vmcb, &vmcbs->pages[1]);
    EXPECT_EQ(vmcb.save.rip, kCode);
    EXPECT_EQ(vmcb.control.nested_cr3, tables.Root(1, true));
    EXPECT_EQ(vmcb.control.intercept3 & kIntercept3Intr, 0u);
    registers.r12 = 0x1212;
    hardware.fx.xmm[0] = 0x77;
    hardware.dr[1] = 0x4444;
    hardware.tsc_aux = 9;
    WriteMsr(SNP_MSR_GHCB, GHCB_MSR_RUN_VMPL_REQUEST)(vmcb, registers, false);
    registers.r12 = 0x1212;
  });
  Then(VmgExit());
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool) {
    // Back at VMPL0, behind its own request; nothing of VMPL1 is in the registers.
    EXPECT_EQ(&vmcb, &vmcbs->pages[0]);
    EXPECT_EQ(vmcb.save.rip, kCode + 4);
    EXPECT_EQ(registers.r12, 0u);
    EXPECT_EQ(hardware.fx.xmm[0], 0);
    EXPECT_EQ(hardware.dr[1], 0u);
    EXPECT_EQ(hardware.tsc_aux, 0u);
    EXPECT_EQ(vmsa1().guest_exit_code, uint64_t{SNP_EXIT_VMGEXIT});
    EXPECT_EQ(vmsa1().r12, 0x1212u);
    EXPECT_EQ(vmsa1().xmm[0], 0x77);
    vmsa1().rax = 0xa5a5;  // the answer to a call
    Exit(vmcb, kExitVintr);
  });
  Run(1);
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool) {
    EXPECT_EQ(vmcb.save.rax, 0xa5a5u);
    EXPECT_EQ(registers.r12, 0x1212u);
    EXPECT_EQ(hardware.fx.xmm[0], 0x77);
    EXPECT_EQ(hardware.dr[1], 0x4444u);
    EXPECT_EQ(hardware.tsc_aux, 9u);
    Exit(vmcb, kExitVintr);
  });
  Finish();
  EXPECT_EQ(processors.counters().switches, 3u);
}

TEST_F(MonitorRunTest, DeniesVmpl1WhatIsVmpl0sAndGoesOn) {
  constexpr Page kSecret = 860;
  machine.MakePrivate(kSecret);
  StartVmpl1();
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    Exit(vmcb, SNP_EXIT_NPF, uint64_t{1} << 32 | 4, AddressOf(kSecret).raw() | kEncryptionBit);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, kGp);
    Exit(vmcb, kExitVintr);
  });
  Finish();
  EXPECT_EQ(processors.counters().denied, 1u);
}

TEST_F(MonitorRunTest, DoesPortsForVmpl1AtOnceAndReflectsThoseOfVmpl0) {
  const uint64_t pci_address = GHCB_IO_PORT(0xcf8) | GHCB_IO_32;
  Then([=](Vmcb& vmcb, GeneralRegisters&, bool) {
    Exit(vmcb, SNP_EXIT_IOIO, pci_address, kCode + 9);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.save.rip, kHandler);
    Exit(vmcb, kExitVintr);
  });
  StartVmpl1();
  hardware.inputs[kPowerPort] = 0xaaaa1234;
  Then([=](Vmcb& vmcb, GeneralRegisters&, bool) {
    vmcb.save.rax = 0xffffffff80000604;
    Exit(vmcb, SNP_EXIT_IOIO, pci_address, kCode + 9);
  });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    const std::vector<FakeHardware::PortWrite> expected = {{0xcf8, 4, 0x80000604}};
    EXPECT_EQ(hardware.outputs, expected);
    EXPECT_EQ(vmcb.save.rip, kCode + 9);
    Exit(vmcb, SNP_EXIT_IOIO, GHCB_IO_PORT(kPowerPort) | GHCB_IO_16 | GHCB_IO_IN, kCode + 10);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.save.rax, 0xffffffff80001234);
    vmcb.save.rax = 0x2000;
    Exit(vmcb, SNP_EXIT_IOIO, GHCB_IO_PORT(kPowerPort) | GHCB_IO_16, kCode + 11);
  });
  const End end = monitor->Run(*launch);
  EXPECT_EQ(end.kind, End::Kind::kPort);
  EXPECT_EQ(end.vmpl, 1u);
  EXPECT_EQ(hardware.outputs.size(), 1u);
}

TEST_F(MonitorRunTest, EndsWhenEveryProcessorIsHeld) {
  RequestByMsr(GHCB_MSR_AP_RESET_HOLD_REQUEST);
  EXPECT_EQ(monitor->Run(*launch).kind, End::Kind::kHalted);
}

TEST_F(MonitorRunTest, DoesNotSleepThroughItsCreation) {
  processors.At(0).is_wanted = true;
  RequestByMsr(GHCB_MSR_AP_RESET_HOLD_REQUEST);
  // On with the answer of the hold, and the next one is one.
  RequestByMsr(GHCB_MSR_AP_RESET_HOLD_REQUEST);
  EXPECT_EQ(monitor->Run(*launch).kind, End::Kind::kHalted);
  EXPECT_EQ(hardware.next, hardware.steps.size());
}

TEST_F(MonitorRunTest, EndsWhenVmpl0IsDenied) {
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    Exit(vmcb, SNP_EXIT_NPF, uint64_t{1} << 32 | 6, AddressOf(kCodePage).raw());
  });
  EXPECT_EQ(monitor->Run(*launch).kind, End::Kind::kAccess);
}

TEST_F(MonitorRunTest, BringsBackWhatTablesHaveForgotten) {
  tables.Forget(0, View::kPrivate, kStackPage);
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    vmcb.control.exit_int_info = 0x40 | kEventTypeException | kEventValid;  // as QEMU says it
    Exit(vmcb, SNP_EXIT_NPF, uint64_t{1} << 32 | 6, AddressOf(kStackPage).raw() | kEncryptionBit);
  });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_TRUE(NestedTables::AccessOf(tables.leaf(0, View::kPrivate, kStackPage)).can_write);
    EXPECT_EQ(vmcb.control.event_inj, 0x40 | kEventTypeInterrupt | kEventValid);
    vmcb.control.exit_int_info = 0;
    Exit(vmcb, kExitVintr);
  });
  Finish();
  EXPECT_EQ(processors.counters().denied, 0u);
}

TEST_F(MonitorRunTest, FlushesTranslationsThatWereTakenAway) {
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) { Exit(vmcb, kExitVintr); });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.tlb_control, 0);
    constexpr Page kGone = 870;
    machine.MakePrivate(kGone);
    machine.rmp.SetValidated(kGone, 1, false);
    Exit(vmcb, kExitVintr);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_NE(vmcb.control.tlb_control, 0);
    Exit(vmcb, kExitVintr);
  });
  Finish();
}

TEST_F(MonitorRunTest, TellsVmpl0OnceOfAnInterruptAndLeavesItAloneThen) {
  auto* doorbell = reinterpret_cast<ghcb_doorbell*>(machine.memory.At(kDoorbell));
  RequestByPage(GHCB_EXIT_DOORBELL, GHCB_DOORBELL_SET, AddressOf(kDoorbell).raw());
  Then([](Vmcb& vmcb, GeneralRegisters&, bool takes_interrupts) {
    EXPECT_TRUE(takes_interrupts);
    Exit(vmcb, SNP_EXIT_INTR);
  });
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool takes_interrupts) {
    EXPECT_EQ(vmcb.control.event_inj, kHv);
    EXPECT_EQ(doorbell->per_vmpl_events, 1);
    EXPECT_FALSE(takes_interrupts);
    Exit(vmcb, kExitVintr);
  });
  for (int i = 0; i < 3; ++i) {
    // However long it goes on.
    Then([](Vmcb& vmcb, GeneralRegisters&, bool takes_interrupts) {
      EXPECT_EQ(vmcb.control.event_inj, 0u);
      EXPECT_FALSE(takes_interrupts);
      Exit(vmcb, kExitVintr);
    });
  }
  StartVmpl1();
  Then(WriteMsr(SNP_MSR_GHCB, GHCB_MSR_RUN_VMPL_REQUEST));
  Then(VmgExit());
  Then([](Vmcb& vmcb, GeneralRegisters&, bool takes_interrupts) {
    EXPECT_TRUE(takes_interrupts);
    Exit(vmcb, kExitVintr);
  });
  Finish();
  EXPECT_EQ(processors.counters().doorbells, 1u);
}

TEST_F(MonitorRunTest, KeepsAnNmiForTheVmplThatHasTheDevices) {
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_NE(vmcb.control.intercept3 & kIntercept3Nmi, 0u);
    hardware.nmi = true;
    Exit(vmcb, kExitNmi);
  });
  StartVmpl1();
  // Making the processor forgets what waited for the one before, so the NMI comes after that.
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool takes) {
    WriteMsr(SNP_MSR_GHCB, GHCB_MSR_RUN_VMPL_REQUEST)(vmcb, registers, takes);
  });
  Then(VmgExit());
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, 0u);
    hardware.nmi = true;
    Exit(vmcb, kExitNmi);
  });
  Run(1);
  Then([&](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, kNmi);
    hardware.nmi = true;
    Exit(vmcb, kExitNmi);
  });
  // Not before it is through with the first.
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, 0u);
    EXPECT_NE(vmcb.control.intercept3 & kIntercept3Iret, 0u);
    Exit(vmcb, kExitIret);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, kNmi);
    Exit(vmcb, kExitIret);
  });
  Then([](Vmcb& vmcb, GeneralRegisters&, bool) {
    EXPECT_EQ(vmcb.control.event_inj, 0u);
    EXPECT_EQ(vmcb.control.intercept3 & kIntercept3Iret, 0u);
    Exit(vmcb, kExitVintr);
  });
  Finish();
}

TEST_F(MonitorRunTest, LeavesNoRegisterBehind) {
  Then([&](Vmcb& vmcb, GeneralRegisters& registers, bool) {
    registers.rbx = 0x5ec2e7;
    hardware.fx.xmm[5] = 0x5e;
    Exit(vmcb, SNP_EXIT_SHUTDOWN);
  });
  monitor->Run(*launch);
  monitor->Scrub();
  EXPECT_EQ(hardware.fx.xmm[5], 0);
  EXPECT_EQ(vmcbs->pages[0].save.rip, 0u);
  EXPECT_EQ(launch->rip, 0u);
}

}  // namespace
}  // namespace nsgx::emu
