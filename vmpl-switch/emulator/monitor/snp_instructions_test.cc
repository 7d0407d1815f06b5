// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/snp_instructions.h"

#include <gtest/gtest.h>

#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

using Kind = InstructionOutcome::Kind;

constexpr uint64_t kAddress = 0x7000'0000'0000;
constexpr uint64_t kLargeAddress = 0x7000'4000'0000;
constexpr Page kPage = 600;
constexpr Page kLarge = 2 * TestMachine::kPagesPerLarge;
constexpr uint64_t kValidate = 1;
constexpr uint64_t kRescind = 0;

class SnpInstructionsTest : public testing::Test {
 protected:
  SnpInstructionsTest() {
    machine.Map(kAddress, kPage);
    machine.MapLarge(kLargeAddress, kLarge);
  }

  InstructionOutcome Execute(Instruction instruction, uint64_t address, uint64_t size,
                             uint64_t attributes, unsigned vmpl = 0, unsigned cpl = 0) {
    // Tables are read with the rights of the VMPL that executes.
    for (Page page = TestMachine::kPages - 16; page < TestMachine::kPages; ++page) {
      if (vmpl != 0 && machine.rmp.entry(page).is_assigned) {
        machine.rmp.SetRights(page, vmpl, SNP_RIGHTS_ALL, false);
      }
    }
    return ExecuteSnp(instruction,
                      {.address = GuestVirt(address), .size = size, .attributes = attributes},
                      machine.Space(vmpl), machine.rmp, vmpl, cpl);
  }
  InstructionOutcome Pvalidate(uint64_t address, uint64_t size, uint64_t validate) {
    return Execute(Instruction::kPvalidate, address, size, validate);
  }
  InstructionOutcome Rmpadjust(uint64_t attributes, unsigned vmpl = 0) {
    return Execute(Instruction::kRmpadjust, kAddress, SNP_SIZE_4K, attributes, vmpl);
  }

  TestMachine machine;
};

TEST_F(SnpInstructionsTest, ValidatesAndSaysWhenNothingChanged) {
  ASSERT_TRUE(machine.rmp.Assign(kPage, 1, false).ok());
  InstructionOutcome outcome = Pvalidate(kAddress, SNP_SIZE_4K, kValidate);
  EXPECT_EQ(outcome.kind, Kind::kDone);
  EXPECT_EQ(outcome.code, SNP_OK);
  EXPECT_FALSE(outcome.carry);
  EXPECT_TRUE(machine.rmp.entry(kPage).is_validated);
  outcome = Pvalidate(kAddress, SNP_SIZE_4K, kValidate);
  EXPECT_EQ(outcome.code, SNP_OK);
  EXPECT_TRUE(outcome.carry);
  outcome = Pvalidate(kAddress, SNP_SIZE_4K, kRescind);
  EXPECT_FALSE(outcome.carry);
  EXPECT_FALSE(machine.rmp.entry(kPage).is_validated);
}

TEST_F(SnpInstructionsTest, ValidatesRunsOf2MiB) {
  ASSERT_TRUE(machine.rmp.Assign(kLarge, TestMachine::kPagesPerLarge, true).ok());
  const InstructionOutcome outcome = Pvalidate(kLargeAddress, SNP_SIZE_2M, kValidate);
  EXPECT_EQ(outcome.code, SNP_OK);
  EXPECT_FALSE(outcome.carry);
  EXPECT_TRUE(machine.rmp.entry(kLarge).is_validated);
  EXPECT_TRUE(machine.rmp.entry(kLarge + 511).is_validated);
  EXPECT_TRUE(machine.rmp.entry(kLarge).is_large);
}

TEST_F(SnpInstructionsTest, SaysThatSizesDoNotFit) {
  ASSERT_TRUE(machine.rmp.Assign(kLarge, TestMachine::kPagesPerLarge, false).ok());
  EXPECT_EQ(Pvalidate(kLargeAddress, SNP_SIZE_2M, kValidate).code, SNP_FAIL_SIZE_MISMATCH);
  EXPECT_FALSE(machine.rmp.entry(kLarge).is_validated);
}

TEST_F(SnpInstructionsTest, BreaksARunThatIsValidatedInPart) {
  ASSERT_TRUE(machine.rmp.Assign(kLarge, TestMachine::kPagesPerLarge, true).ok());
  EXPECT_EQ(Pvalidate(kLargeAddress, SNP_SIZE_4K, kValidate).code, SNP_OK);
  EXPECT_TRUE(machine.rmp.entry(kLarge).is_validated);
  EXPECT_FALSE(machine.rmp.entry(kLarge + 1).is_validated);
  EXPECT_EQ(Pvalidate(kLargeAddress, SNP_SIZE_2M, kValidate).code, SNP_FAIL_SIZE_MISMATCH);
}

TEST_F(SnpInstructionsTest, RefusesOperandsThatMeanNothing) {
  ASSERT_TRUE(machine.rmp.Assign(kPage, 1, false).ok());
  EXPECT_EQ(Pvalidate(kAddress, 2, kValidate).code, SNP_FAIL_INPUT);
  EXPECT_EQ(Pvalidate(kLargeAddress + kPageSize, SNP_SIZE_2M, kValidate).code, SNP_FAIL_INPUT);
}

TEST_F(SnpInstructionsTest, TellsTheHostAboutASharedPage) {
  const InstructionOutcome outcome = Pvalidate(kAddress, SNP_SIZE_4K, kValidate);
  EXPECT_EQ(outcome.kind, Kind::kNestedFault);
  EXPECT_EQ(outcome.fault.rmp, RmpFault::kNotAssigned);
  EXPECT_EQ(outcome.fault.page, kPage);
}

TEST_F(SnpInstructionsTest, TellsTheGuestAboutItsOwnTables) {
  const InstructionOutcome outcome = Pvalidate(kAddress + 8 * kPageSize, SNP_SIZE_4K, kValidate);
  EXPECT_EQ(outcome.kind, Kind::kPageFault);
}

TEST_F(SnpInstructionsTest, IsForRing0AndPvalidateForVmpl0) {
  machine.MakePrivate(kPage);
  for (const Instruction instruction :
       {Instruction::kPvalidate, Instruction::kRmpadjust, Instruction::kRmpquery}) {
    EXPECT_EQ(Execute(instruction, kAddress, SNP_SIZE_4K, 1, 0, 3).kind, Kind::kGeneralProtection);
  }
  EXPECT_EQ(Execute(Instruction::kPvalidate, kAddress, SNP_SIZE_4K, kRescind, 1).kind,
            Kind::kGeneralProtection);
  EXPECT_TRUE(machine.rmp.entry(kPage).is_validated);
}

TEST_F(SnpInstructionsTest, GivesAndTakesRights) {
  machine.MakePrivate(kPage);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, SNP_RIGHTS_ALL)).code, SNP_OK);
  EXPECT_EQ(machine.rmp.Rights(kPage, 1), SNP_RIGHTS_ALL);
  EXPECT_EQ(machine.rmp.Rights(kPage, 2), 0);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, SNP_RIGHT_READ)).code, SNP_OK);
  EXPECT_EQ(machine.rmp.Rights(kPage, 1), SNP_RIGHT_READ);
}

TEST_F(SnpInstructionsTest, GivesNothingToOneselfOrAbove) {
  machine.MakePrivate(kPage);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(0, SNP_RIGHTS_ALL)).code, SNP_FAIL_PERMISSION);
  // By this Linux learns that it is not at VMPL0.
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, 0), 1).code, SNP_FAIL_PERMISSION);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, SNP_RIGHTS_ALL), 2).code, SNP_FAIL_PERMISSION);
}

TEST_F(SnpInstructionsTest, GivesNothingThatOneDoesNotHave) {
  machine.MakePrivate(kPage);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ | SNP_RIGHT_WRITE, false);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(2, SNP_RIGHTS_ALL), 1).code, SNP_FAIL_PERMISSION);
  EXPECT_EQ(machine.rmp.Rights(kPage, 2), 0);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(2, SNP_RIGHT_READ), 1).code, SNP_OK);
  EXPECT_EQ(machine.rmp.Rights(kPage, 2), SNP_RIGHT_READ);
}

TEST_F(SnpInstructionsTest, RefusesVmplsAndRightsThatDoNotExist) {
  machine.MakePrivate(kPage);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(4, 0)).code, SNP_FAIL_INPUT);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, 0x80)).code, SNP_FAIL_INPUT);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, 0) | uint64_t{1} << 17).code, SNP_FAIL_INPUT);
}

TEST_F(SnpInstructionsTest, AdjustsValidatedPagesOnly) {
  ASSERT_TRUE(machine.rmp.Assign(kPage, 1, false).ok());
  const InstructionOutcome outcome = Rmpadjust(SNP_RMPADJUST(1, SNP_RIGHTS_ALL));
  EXPECT_EQ(outcome.kind, Kind::kNestedFault);
  EXPECT_EQ(outcome.fault.rmp, RmpFault::kNotValidated);
  EXPECT_EQ(machine.rmp.Rights(kPage, 1), 0);
}

TEST_F(SnpInstructionsTest, MakesAndUnmakesVmsasAtVmpl0) {
  machine.MakePrivate(kPage);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, 0) | SNP_RMPADJUST_VMSA).code, SNP_OK);
  EXPECT_TRUE(machine.rmp.entry(kPage).is_vmsa);
  // It may not be taken out from under a processor.
  EXPECT_EQ(Pvalidate(kAddress, SNP_SIZE_4K, kRescind).code, SNP_FAIL_INPUT);
  machine.rmp.SetRunning(kPage, true);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, 0)).code, SNP_FAIL_IN_USE);
  EXPECT_TRUE(machine.rmp.entry(kPage).is_vmsa);
  machine.rmp.SetRunning(kPage, false);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(1, 0)).code, SNP_OK);
  EXPECT_FALSE(machine.rmp.entry(kPage).is_vmsa);

  machine.rmp.SetRights(kPage, 1, SNP_RIGHTS_ALL, false);
  EXPECT_EQ(Rmpadjust(SNP_RMPADJUST(2, 0) | SNP_RMPADJUST_VMSA, 1).code, SNP_FAIL_PERMISSION);
}

TEST_F(SnpInstructionsTest, MakesNoVmsaOf2MiB) {
  ASSERT_TRUE(machine.rmp.Assign(kLarge, TestMachine::kPagesPerLarge, true).ok());
  machine.rmp.SetValidated(kLarge, TestMachine::kPagesPerLarge, true);
  EXPECT_EQ(Execute(Instruction::kRmpadjust, kLargeAddress, SNP_SIZE_2M,
                    SNP_RMPADJUST(1, 0) | SNP_RMPADJUST_VMSA)
                .code,
            SNP_FAIL_INPUT);
  EXPECT_FALSE(machine.rmp.entry(kLarge).is_vmsa);
  EXPECT_EQ(
      Execute(Instruction::kRmpadjust, kLargeAddress, SNP_SIZE_2M, SNP_RMPADJUST(1, SNP_RIGHTS_ALL))
          .code,
      SNP_OK);
  EXPECT_EQ(machine.rmp.Rights(kLarge + 511, 1), SNP_RIGHTS_ALL);
}

TEST_F(SnpInstructionsTest, TellsRightsOfLowerVmpls) {
  machine.MakePrivate(kPage);
  machine.rmp.SetRights(kPage, 1, SNP_RIGHT_READ, false);
  const InstructionOutcome outcome = Execute(Instruction::kRmpquery, kAddress, SNP_SIZE_4K, 1);
  EXPECT_EQ(outcome.code, SNP_OK);
  EXPECT_EQ(outcome.attributes, uint64_t{SNP_RMPADJUST(1, SNP_RIGHT_READ)});
  EXPECT_EQ(outcome.size, uint64_t{SNP_SIZE_4K});
  EXPECT_EQ(Execute(Instruction::kRmpquery, kAddress, SNP_SIZE_4K, 9).code, SNP_FAIL_INPUT);
  EXPECT_EQ(Execute(Instruction::kRmpquery, kAddress, SNP_SIZE_4K, 0, 1).code, SNP_FAIL_PERMISSION);
}

}  // namespace
}  // namespace nsgx::emu
