// SPDX-License-Identifier: Apache-2.0
// What happens in ring 3, and what becomes of it.
#include <gtest/gtest.h>

#include "vmpl-switch/snp/enclave/enclave_machine.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kPageFaultVector = kVectorPageFault;

class SlotRunTest : public testing::Test, public EnclaveMachine {
 protected:
  SlotRunTest() { Start(); }

  // Enters, and expects it to leave for `reason`.
  void EnterUntil(uint32_t reason, uint64_t answer = 0, uint64_t flags = 0) {
    ASSERT_EQ(Enter(0, answer, flags), SVSM_SUCCESS);
    ASSERT_EQ(registers.rcx, reason);
    ASSERT_EQ(exit().reason, reason);
  }
  void SetHandlers() {
    hardware.actions.push_back(Gate(NSGX_GATE_SET_HANDLER, code_address(), code_address() + 64));
  }
  // Puts an instruction into the slot's free memory, and returns its address.
  uint64_t CodePlace() const {
    return slot_address(0) + NSGX_SLOT_FRAME_OFFSET + offsetof(nsgx_frame, xsave);
  }
  uint64_t PutCode(std::array<uint8_t, 2> code) {
    __builtin_memcpy(Frame()->xsave, code.data(), code.size());
    return CodePlace();
  }
  // An action that looks, and then is interrupted.
  static FakeHardware::Action Look(const std::function<void(Ring3State&)>& look) {
    return [look](Ring3State& state) -> Ring3Event {
      look(state);
      return {.vector = kVectorHv, .error_code = 0, .address = 0};
    };
  }
  nsgx_frame* Frame() { return InEnclave<nsgx_frame>(slot_address(0) + NSGX_SLOT_FRAME_OFFSET); }
  // The table entry that decides about an address in the running enclave's space.
  uint64_t LeafOf(uint64_t address) {
    const uint64_t root = hardware.active->cr3();
    uint64_t entry = root;
    for (int level = 3; level >= 0; --level) {
      const GuestPhys table(entry & 0x7ffffffff000);
      entry = machine.At<uint64_t>(table)[address >> (12 + 9 * level) & 511];
    }
    return entry;
  }
  nsgx_slot* Block() { return InEnclave<nsgx_slot>(slot_address(0)); }
};

TEST_F(SlotRunTest, TheFirstEntryIsAsTheContractSays) {
  hardware.actions = {Look([&](Ring3State& state) {
    EXPECT_EQ(state.frame.rip, code_address());
    EXPECT_EQ(state.frame.rdi, slot_address(0));
    EXPECT_EQ(state.gs_base, slot_address(0));
    EXPECT_EQ(state.fs_base, 0u);
    EXPECT_EQ(state.frame.rsp, slot_address(0) + NSGX_SLOT_STRIDE);
    EXPECT_EQ(state.frame.rax | state.frame.rbx | state.frame.rcx | state.frame.rdx |
                  state.frame.rsi | state.frame.rbp | state.frame.r8 | state.frame.r15,
              0u);
    EXPECT_EQ(FcwOf(state.extended), kInitialFcw);
    EXPECT_EQ(MxcsrOf(state.extended), kInitialMxcsr);
    EXPECT_EQ(Block()->self, slot_address(0));
    EXPECT_EQ(Block()->gate, kGateAddress);
    EXPECT_EQ(Block()->window, kWindowAddress);
  })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, ACallKeepsWhatItMustAndScrubsTheRest) {
  hardware.actions = {[&](Ring3State& state) -> Ring3Event {
                        state.frame.rbx = 11;
                        state.frame.r12 = 12;
                        state.frame.rsp = 0x1234;
                        state.fs_base = 0x5678;
                        state.extended[160] = std::byte{0x5e};  // xmm0
                        const uint32_t mxcsr = 0x7f80;
                        std::memcpy(state.extended + 24, &mxcsr, 4);
                        return Gate(NSGX_GATE_HOST_CALL, 0, 1, 2, 3, 4)(state);
                      },
                      Look([&](Ring3State& state) {
                        EXPECT_EQ(state.frame.rax, 99u);
                        EXPECT_EQ(state.frame.rip, kGateReturn);
                        EXPECT_EQ(state.frame.rbx, 11u);
                        EXPECT_EQ(state.frame.r12, 12u);
                        EXPECT_EQ(state.frame.rsp, 0x1234u);
                        EXPECT_EQ(state.fs_base, 0x5678u);
                        EXPECT_EQ(MxcsrOf(state.extended), 0x7f80u);
                        EXPECT_EQ(state.extended[160], std::byte{0});
                        EXPECT_EQ(state.frame.rcx | state.frame.rdx | state.frame.rsi |
                                      state.frame.rdi | state.frame.r8 | state.frame.r9 |
                                      state.frame.r10 | state.frame.r11,
                                  0u);
                      })};
  EnterUntil(NSGX_SEH_EXIT_HOST_CALL);
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 99);
}

TEST_F(SlotRunTest, AnInterruptedSlotGoesOnWhereItWas) {
  hardware.actions = {Look([](Ring3State& state) {
                        state.frame.rax = 1;
                        state.frame.rcx = 2;
                        state.frame.rip = 0x42;
                        state.extended[160] = std::byte{3};
                      }),
                      Look([](Ring3State& state) {
                        EXPECT_EQ(state.frame.rax, 1u);
                        EXPECT_EQ(state.frame.rcx, 2u);
                        EXPECT_EQ(state.frame.rip, 0x42u);
                        EXPECT_EQ(state.extended[160], std::byte{3});
                      })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 77);  // no answer was asked for
}

TEST_F(SlotRunTest, WhatWaitsForTheGuestComesFirst) {
  hardware.actions = {Gate(NSGX_GATE_HOST_CALL, 0),
                      Look([](Ring3State& state) { EXPECT_EQ(state.frame.rax, 5u); })};
  EnterUntil(NSGX_SEH_EXIT_HOST_CALL);
  hardware.has_event = true;
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 5);
  EXPECT_EQ(hardware.runs, 1u);
  hardware.has_event = false;
  // The answer has arrived although the enclave did not run.
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 6);
}

TEST_F(SlotRunTest, RefusedCallsEndTheEnclave) {
  hardware.actions = {Gate(NSGX_GATE_HOST_CALL, 2)};  // not on the list
  EnterUntil(NSGX_SEH_EXIT_REFUSED);
  EXPECT_EQ(Enter(1), SVSM_PROTOCOL_RESULT + NSGX_BAD_STATE);
}

TEST_F(SlotRunTest, MemoryComesFromThePoolAndFromTheGuest) {
  hardware.actions = {
      Gate(NSGX_GATE_COMMIT, kHeap, 100 * kPageSize, NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE)};
  EnterUntil(NSGX_SEH_EXIT_NO_PAGES);
  EXPECT_GE(exit().arguments[0], 60u);
  ASSERT_EQ(Donate(exit().arguments[0]), SVSM_SUCCESS);
  hardware.actions = {Look([&](Ring3State& state) {
                        EXPECT_EQ(static_cast<int64_t>(state.frame.rax), 0);
                        *InEnclave<uint64_t>(kHeap + 99 * kPageSize) = 0xc0ffee;
                      }),
                      Gate(NSGX_GATE_TRIM, kHeap, 100 * kPageSize), Look([](Ring3State& state) {
                        EXPECT_EQ(static_cast<int64_t>(state.frame.rax), 0);
                      })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  // Nothing of it is left anywhere.
  for (uint64_t i = 0; i < donated; ++i) {
    const uint64_t* words = machine.At<uint64_t>(kDonation + i * kPageSize);
    EXPECT_EQ(std::count(words, words + 512, 0xc0ffeeu), 0);
  }
}

TEST_F(SlotRunTest, WhatIsTakenAwayIsForgotten) {
  constexpr uint64_t kCount = 100;  // more than one batch
  constexpr uint64_t kLast = kHeap + (kCount - 1) * kPageSize;
  ASSERT_EQ(Donate(200), SVSM_SUCCESS);
  const auto touch_and = [&](const FakeHardware::Action& gate) -> FakeHardware::Action {
    return [=, this](Ring3State& state) -> Ring3Event {
      *InEnclave<uint64_t>(kHeap) = 1;
      *InEnclave<uint64_t>(kLast) = 1;
      EXPECT_TRUE(hardware.Remembers(kLast));
      return gate(state);
    };
  };
  const auto expect_forgotten_and = [&](const FakeHardware::Action& gate) -> FakeHardware::Action {
    return [=, this](Ring3State& state) -> Ring3Event {
      EXPECT_EQ(static_cast<int64_t>(state.frame.rax), 0);
      EXPECT_FALSE(hardware.Remembers(kHeap));
      EXPECT_FALSE(hardware.Remembers(kLast));
      return gate(state);
    };
  };
  hardware.actions = {
      Gate(NSGX_GATE_COMMIT, kHeap, kCount * kPageSize,
           NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE),
      touch_and(Gate(NSGX_GATE_PROTECT, kHeap, kCount * kPageSize, NSGX_PERMISSION_READ)),
      expect_forgotten_and(Gate(NSGX_GATE_PROTECT, kHeap, kCount * kPageSize,
                                NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE)),
      touch_and(Gate(NSGX_GATE_TRIM, kHeap, kCount * kPageSize)),
      expect_forgotten_and(Event(kVectorHv))};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, AGuestWithoutPagesIsNoReasonToWaitForEver) {
  hardware.actions = {Gate(NSGX_GATE_COMMIT, kHeap, 900 * kPageSize, NSGX_PERMISSION_READ),
                      Look([](Ring3State& state) {
                        EXPECT_EQ(static_cast<int64_t>(state.frame.rax), -int64_t{NSGX_NO_MEMORY});
                      })};
  EnterUntil(NSGX_SEH_EXIT_NO_PAGES);
  // Some, but not enough: it is asked once more.
  ASSERT_EQ(Donate(1), SVSM_SUCCESS);
  EnterUntil(NSGX_SEH_EXIT_NO_PAGES);
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, RightsOnPages) {
  const auto expect = [&](uint64_t address, bool user, bool write) {
    return Look([=, this](Ring3State&) {
      const uint64_t entry = LeafOf(address);
      EXPECT_EQ((entry & 4) != 0, user);
      EXPECT_EQ((entry & 2) != 0, write);
      EXPECT_EQ(entry >> 63, 1u);
    });
  };
  hardware.actions = {
      Gate(NSGX_GATE_COMMIT, kHeap, kPageSize, NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE),
      expect(kHeap, true, true),
      Gate(NSGX_GATE_PROTECT, kHeap, kPageSize, 0),
      expect(kHeap, false, false),
      Gate(NSGX_GATE_PROTECT, kHeap, kPageSize, NSGX_PERMISSION_READ),
      expect(kHeap, true, false)};
  for (int i = 0; i < 3; ++i) {
    EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  }
  hardware.actions = {Look([&](Ring3State&) {
    EXPECT_EQ(LeafOf(code_address()) & 6, 4u);  // the enclave's, not writable
    EXPECT_EQ(LeafOf(code_address()) >> 63, 0u);
    EXPECT_EQ(LeafOf(kGateAddress) & 6, 4u);
    EXPECT_EQ(LeafOf(kWindowAddress) & 6, 6u);
    EXPECT_EQ(LeafOf(kWindowAddress) >> 63, 1u);
  })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, AnExceptionArrivesInTheSlotsFrame) {
  SetHandlers();
  hardware.actions.push_back([&](Ring3State& state) -> Ring3Event {
    EXPECT_EQ(static_cast<int64_t>(state.frame.rax), 0);
    state.frame.r8 = 8;
    state.frame.rsp = 0x77;
    state.frame.rip = 0x99;
    state.frame.rflags = 0x10cd7;
    state.fs_base = 0xf5;
    state.extended[160] = std::byte{0x66};
    return {.vector = kPageFaultVector, .error_code = 0x3f, .address = 0xdead};
  });
  hardware.actions.push_back(Look([&](Ring3State& state) {
    EXPECT_EQ(state.frame.rip, code_address());
    EXPECT_EQ(state.frame.rdi, slot_address(0) + NSGX_SLOT_FRAME_OFFSET);
    EXPECT_EQ(state.frame.rsi, uint64_t{NSGX_CAUSE_PAGE_FAULT});
    EXPECT_EQ(state.frame.rsp, slot_address(0) + 0xa000);
    EXPECT_EQ(state.frame.rflags, 2u);
    EXPECT_EQ(state.extended[160], std::byte{0});
    const nsgx_frame& frame = *Frame();
    EXPECT_EQ(frame.r8, 8u);
    EXPECT_EQ(frame.rsp, 0x77u);
    EXPECT_EQ(frame.rip, 0x99u);
    EXPECT_EQ(frame.rflags, 0x10ed7u);
    EXPECT_EQ(frame.cause, uint64_t{NSGX_CAUSE_PAGE_FAULT});
    EXPECT_EQ(frame.error_code, 0x13u);
    EXPECT_EQ(frame.address, 0xdeadu);
    EXPECT_EQ(frame.fs_base, 0xf5u);
    EXPECT_EQ(frame.xsave_size, 512u);
    EXPECT_EQ(frame.xsave[160], 0x66);
    EXPECT_EQ(Block()->in_exception, 1);
  }));
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  // A second one before the frame is free ends it; nobody learns where, as it is not for debugging.
  hardware.actions = {[](Ring3State& state) -> Ring3Event {
    state.frame.rip = kEnclaveBase + 0x123;
    return {.vector = kVectorGeneralProtection, .error_code = 0, .address = 0x1111};
  }};
  EnterUntil(NSGX_SEH_EXIT_EXCEPTION);
  EXPECT_EQ(exit().arguments[0], kVectorGeneralProtection);
  ASSERT_EQ(Call(NSGX_SEH_INFO, number, kRequest.raw()), SVSM_SUCCESS);
  const nsgx_seh_info info = *machine.At<nsgx_seh_info>(kRequest);
  EXPECT_EQ(info.state, 4u);
  EXPECT_EQ(info.crash_cause, kVectorGeneralProtection);
  EXPECT_EQ(info.crash_image_offset, 0x123u);
  EXPECT_EQ(info.crash_address, 0u);
  EXPECT_EQ(info.crash_registers[15], 0u);
  EXPECT_EQ(info.exceptions, 2u);
}

TEST_F(SlotRunTest, SystemCallsOfItsOwnGoToTheEnclave) {
  SetHandlers();
  hardware.actions.push_back([&](Ring3State& state) -> Ring3Event {
    state.frame.rip = state.frame.rcx = 0x88;
    state.frame.r11 = 0x246;
    state.frame.rdi = 5;
    state.extended[160] = std::byte{9};
    return {.vector = kSyscallVector, .error_code = 0, .address = 0};
  });
  hardware.actions.push_back([&](Ring3State& state) -> Ring3Event {
    EXPECT_EQ(state.frame.rip, code_address() + 64);
    EXPECT_EQ(state.frame.rcx, 0x88u);
    EXPECT_EQ(state.frame.r11, 0x246u);
    EXPECT_EQ(state.frame.rdi, 5u);
    EXPECT_EQ(state.extended[160], std::byte{9});
    state.frame.rip = PutCode({0xcd, 0x80});  // int 0x80
    return {.vector = kVectorGeneralProtection, .error_code = 0x402, .address = 0};
  });
  hardware.actions.push_back(Look([&](Ring3State&) {
    EXPECT_EQ(Frame()->cause, uint64_t{NSGX_CAUSE_SYSCALL});
    EXPECT_EQ(Frame()->rip, CodePlace() + 2);
  }));
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, AVectorThatNoInstructionNamesIsNoSystemCall) {
  SetHandlers();
  hardware.actions.push_back([&](Ring3State& state) -> Ring3Event {
    state.frame.rip = PutCode({0xcd, 0x81});
    return {.vector = kVectorGeneralProtection, .error_code = 0x402, .address = 0};
  });
  hardware.actions.push_back(Look([&](Ring3State&) {
    EXPECT_EQ(Frame()->cause, uint64_t{NSGX_CAUSE_GENERAL_PROTECTION});
    EXPECT_EQ(Frame()->rip, CodePlace());
  }));
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, TicksComeToWhoWasInterruptedOrWait) {
  SetHandlers();
  hardware.actions.push_back(Look([](Ring3State& state) { state.frame.rip = 0x55; }));
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  hardware.actions = {Look([&](Ring3State& state) {
    EXPECT_EQ(state.frame.rsi, uint64_t{NSGX_CAUSE_TICK});
    EXPECT_EQ(Frame()->rip, 0x55u);
    EXPECT_EQ(Block()->pending, 0);
  })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 0, NSGX_SEH_ENTER_TICK);
  // In an exception; with ticks off; in the gate; on the way back from a call.
  const auto expect_pending = [&](auto prepare) {
    hardware.actions = {Look([&](Ring3State& state) {
                          Block()->in_exception = 0;
                          Block()->pending = 0;
                          state.frame.rip = 0x66;
                          prepare(state);
                        }),
                        Look([&](Ring3State& state) {
                          EXPECT_EQ(Block()->pending, 1);
                          EXPECT_NE(state.frame.rip, code_address());
                          Block()->irq_off = 0;
                        })};
    EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
    EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 0, NSGX_SEH_ENTER_TICK);
  };
  expect_pending([&](Ring3State&) { Block()->in_exception = 1; });
  expect_pending([&](Ring3State&) { Block()->irq_off = 1; });
  expect_pending([&](Ring3State& state) { state.frame.rip = kGateAddress + 3; });
  hardware.actions = {Look([&](Ring3State&) { Block()->in_exception = Block()->pending = 0; }),
                      Gate(NSGX_GATE_IDLE, 1),
                      Look([&](Ring3State&) { EXPECT_EQ(Block()->pending, 1); })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  EnterUntil(NSGX_SEH_EXIT_IDLE);
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED, 0, NSGX_SEH_ENTER_TICK);
}

TEST_F(SlotRunTest, CpuidIsAnsweredFromWhatTheFirmwareChecked) {
  // Where the code can be put: into the heap, as the tests cannot write to the image.
  hardware.actions = {
      Gate(NSGX_GATE_COMMIT, kHeap, kPageSize, NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE),
      [&](Ring3State& state) -> Ring3Event {
        std::memcpy(InEnclave<uint16_t>(kHeap), "\x0f\xa2", 2);
        state.frame.rip = kHeap;
        state.frame.rax = 1;
        state.frame.rcx = 0;
        return {.vector = kVectorVc, .error_code = SNP_EXIT_CPUID, .address = 0};
      },
      [&](Ring3State& state) -> Ring3Event {
        EXPECT_EQ(state.frame.rip, kHeap + 2);
        EXPECT_EQ(state.frame.rax, 0xau);
        EXPECT_EQ(state.frame.rbx, 0xbu);
        EXPECT_EQ(state.frame.rdx, 0xdu);
        state.frame.rip = kHeap;
        state.frame.rax = 7;
        state.frame.rcx = 0;
        return {.vector = kVectorVc, .error_code = SNP_EXIT_CPUID, .address = 0};
      },
      Look([](Ring3State& state) {
        // No vectors beyond SSE and no keys without XSAVE.
        EXPECT_EQ(state.frame.rbx & (1 << 5 | 1 << 16), 0u);
        EXPECT_EQ(state.frame.rcx & (1 << 3 | 1 << 4), 0u);
      })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

TEST_F(SlotRunTest, AForgedVcEndsTheEnclave) {
  SetHandlers();
  hardware.actions.push_back([&](Ring3State& state) -> Ring3Event {
    state.frame.rip = code_address();
    return {.vector = kVectorVc, .error_code = SNP_EXIT_CPUID, .address = 0};
  });
  EnterUntil(NSGX_SEH_EXIT_EXCEPTION);
}

TEST_F(SlotRunTest, FlagsThatRingThreeMayNotHaveStayOut) {
  hardware.actions = {Look([](Ring3State& state) { state.frame.rflags = ~uint64_t{0}; }),
                      Look([](Ring3State& state) {
                        // IOPL, IF, NT, VM: FakeHardware checks the first two as well.
                        EXPECT_EQ(state.frame.rflags & 0x27200, 0u);
                      })};
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
  EnterUntil(NSGX_SEH_EXIT_INTERRUPTED);
}

}  // namespace
}  // namespace nsgx::snp
