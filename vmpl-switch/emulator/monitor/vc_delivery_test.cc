// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/vc_delivery.h"

#include <gtest/gtest.h>

#include <cstring>

#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kTables = 0x10000;  // IDT, then TSS
constexpr uint64_t kTss = kTables + kPageSize;
constexpr uint64_t kStack = 0x20000;
constexpr uint64_t kOtherStack = 0x30000;
constexpr Page kTablesPage = 600;
constexpr Page kTssPage = 601;
constexpr Page kStackPage = 602;
constexpr Page kOtherStackPage = 603;
constexpr uint64_t kHandler = 0xffff'ffff'8123'4567;
constexpr uint64_t kError = 0x72;

class VcDeliveryTest : public testing::Test {
 protected:
  VcDeliveryTest() {
    machine.MakePrivate(kTablesPage, 4);
    machine.Map(kTables, kTablesPage);
    machine.Map(kTss, kTssPage);
    machine.Map(kStack, kStackPage);
    machine.Map(kOtherStack, kOtherStackPage);
    state.idtr = {.selector = 0, .attributes = 0, .limit = 0x1ff, .base = kTables};
    state.tr = {.selector = 0x40, .attributes = 0x8b, .limit = 103, .base = kTss};
    state.cs = {.selector = 0x10, .attributes = 0xa9b, .limit = 0xffffffff, .base = 0};
    state.ss = {.selector = 0x18, .attributes = 0xc93, .limit = 0xffffffff, .base = 0};
    state.rip = 0x401000;
    state.rsp = kStack + 0xffb;
    state.rflags = kRflagsInterrupts | kRflagsTrap | kRflagsNestedTask | 2;
    SetGate(0, 0x8e);
  }

  void SetGate(uint64_t stack, uint64_t type) {
    const uint64_t gate[2] = {(kHandler & 0xffff) | uint64_t{0x10} << 16 | stack << 32 |
                                  type << 40 | (kHandler >> 16 & 0xffff) << 48,
                              kHandler >> 32};
    std::memcpy(machine.memory.At(kTablesPage) + size_t{16} * SNP_VECTOR_VC, gate, sizeof(gate));
  }
  void SetStackPointer(uint64_t offset, uint64_t value) {
    std::memcpy(machine.memory.At(kTssPage) + offset, &value, sizeof(value));
  }
  // The six words of a frame that ends at `top` of the page.
  void ExpectFrame(Page page, uint64_t top, const VmcbSave& before) {
    uint64_t words[6];
    std::memcpy(words, machine.memory.At(page) + top - sizeof(words), sizeof(words));
    EXPECT_EQ(words[0], kError);
    EXPECT_EQ(words[1], before.rip);
    EXPECT_EQ(words[2], before.cs.selector);
    EXPECT_EQ(words[3], before.rflags);
    EXPECT_EQ(words[4], before.rsp);
    EXPECT_EQ(words[5], before.ss.selector);
  }
  Result<void, SpaceFault> Deliver() { return DeliverVc(machine.Space(), state, kError); }

  TestMachine machine;
  VmcbSave& state = machine.save;
};

TEST_F(VcDeliveryTest, PushesAFrameOnTheSameStackAndAlignsIt) {
  const VmcbSave before = state;
  ASSERT_TRUE(Deliver().ok());
  ExpectFrame(kStackPage, 0xff0, before);
  EXPECT_EQ(state.rsp, kStack + 0xff0 - 48);
  EXPECT_EQ(state.rip, kHandler);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.cs.selector, 0x10);
  EXPECT_EQ(state.cpl, 0);
}

TEST_F(VcDeliveryTest, KeepsInterruptsOnThroughATrapGate) {
  SetGate(0, 0x8f);
  ASSERT_TRUE(Deliver().ok());
  EXPECT_NE(state.rflags & kRflagsInterrupts, 0u);
}

TEST_F(VcDeliveryTest, TakesTheStackThatTheGateNames) {
  SetGate(3, 0x8e);
  SetStackPointer(0x24 + 2 * 8, kOtherStack + 0x800);
  const VmcbSave before = state;
  ASSERT_TRUE(Deliver().ok());
  ExpectFrame(kOtherStackPage, 0x800, before);
}

TEST_F(VcDeliveryTest, ComesFromRing3OnTheStackOfRing0) {
  SetStackPointer(4, kOtherStack + 0x400);
  state.cpl = 3;
  state.cs.selector = 0x23;
  state.ss.selector = 0x1b;
  const VmcbSave before = state;
  ASSERT_TRUE(Deliver().ok());
  ExpectFrame(kOtherStackPage, 0x400, before);
  EXPECT_EQ(state.cpl, 0);
  EXPECT_EQ(state.cs.selector, 0x10);
  EXPECT_EQ(state.ss.selector, 0);
}

TEST_F(VcDeliveryTest, ChangesNothingWhenItCannot) {
  const VmcbSave before = state;
  SetGate(0, 0x0e);  // not present
  EXPECT_FALSE(Deliver().ok());
  SetGate(0, 0x85);  // a task gate
  EXPECT_FALSE(Deliver().ok());
  SetGate(0, 0x8e);
  state.idtr.limit = 16 * SNP_VECTOR_VC + 14;
  EXPECT_FALSE(Deliver().ok());
  state.idtr.limit = 0x1ff;
  state.rsp = 0x5000;
  EXPECT_FALSE(Deliver().ok());
  state.rsp = before.rsp;
  SetGate(7, 0x8e);
  state.tr.limit = 0x24 + 6 * 8 + 6;  // ends inside IST7
  EXPECT_FALSE(Deliver().ok());
  state.tr.limit = before.tr.limit;
  EXPECT_EQ(std::memcmp(&state, &before, sizeof(state)), 0);
}

TEST_F(VcDeliveryTest, WritesToNoPageThatTheVmplMayNotWrite) {
  for (Page page = TestMachine::kPages - 16; page < TestMachine::kPages; ++page) {
    if (machine.rmp.entry(page).is_assigned) {
      machine.rmp.SetRights(page, 1, SNP_RIGHT_READ, false);
    }
  }
  machine.rmp.SetRights(kTablesPage, 1, SNP_RIGHT_READ, false);
  machine.rmp.SetRights(kStackPage, 1, SNP_RIGHT_READ, false);
  const auto result = DeliverVc(machine.Space(1), state, kError);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().rmp, RmpFault::kRights);
  EXPECT_EQ(result.error().page, kStackPage);
}

}  // namespace
}  // namespace nsgx::emu
