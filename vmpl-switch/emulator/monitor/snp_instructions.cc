// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/snp_instructions.h"

namespace nsgx::emu {
namespace {

using Kind = InstructionOutcome::Kind;

constexpr uint64_t kPagesPerLarge = kLargePageSize / kPageSize;

InstructionOutcome Code(uint32_t code) { return {.kind = Kind::kDone, .code = code}; }

InstructionOutcome Nested(RmpFault fault, Page page) {
  return {.kind = Kind::kNestedFault,
          .fault = {.kind = SpaceFault::Kind::kRmp, .rmp = fault, .page = page}};
}

// The pages that an instruction means: one, or a whole run.
struct Operand {
  Page first = 0;
  uint64_t count = 1;
};

// Translates, and looks at what comes before any rights: is it assigned, and do the sizes fit?
// Returns the outcome that ends the instruction, or kDone with SNP_OK.
InstructionOutcome Resolve(const SnpOperands& operands, const GuestSpace& space, Rmp& rmp,
                           bool breaks_large, Operand& operand) {
  if (operands.size > SNP_SIZE_2M) {
    return Code(SNP_FAIL_INPUT);
  }
  const bool is_large = operands.size == SNP_SIZE_2M;
  if (is_large && !IsAligned(operands.address.raw(), kLargePageSize)) {
    return Code(SNP_FAIL_INPUT);
  }
  const Result<Translation, SpaceFault> translation =
      space.Translate(operands.address, AccessKind::kRead, false);
  if (!translation.ok()) {
    const SpaceFault fault = translation.error();
    return {
        .kind = fault.kind == SpaceFault::Kind::kPageFault ? Kind::kPageFault : Kind::kNestedFault,
        .fault = fault};
  }
  operand.first = PageOf(translation.value().address);
  if (!rmp.IsRam(operand.first)) {
    return Nested(RmpFault::kNotRam, operand.first);
  }
  const RmpEntry& entry = rmp.entry(operand.first);
  if (!entry.is_assigned) {
    return Nested(RmpFault::kNotAssigned, operand.first);
  }
  if (is_large) {
    // The mapping may be of small pages that do not follow each other; the run must begin here.
    if (!entry.is_large || operand.first % kPagesPerLarge != 0) {
      return Code(SNP_FAIL_SIZE_MISMATCH);
    }
    operand.count = kPagesPerLarge;
  } else if (entry.is_large && breaks_large) {
    // A processor would tell the host, which breaks the run and tries again.
    rmp.Smash(operand.first);
  }
  return Code(SNP_OK);
}

InstructionOutcome Pvalidate(const SnpOperands& operands, Rmp& rmp, const Operand& operand) {
  for (Page page = operand.first; page < operand.first + operand.count; ++page) {
    if (rmp.entry(page).is_vmsa) {
      return Code(SNP_FAIL_INPUT);
    }
  }
  const bool has_changed =
      rmp.SetValidated(operand.first, operand.count, (operands.attributes & 1) != 0);
  InstructionOutcome outcome = Code(SNP_OK);
  outcome.carry = !has_changed;
  return outcome;
}

InstructionOutcome CheckValidated(const Rmp& rmp, const Operand& operand) {
  for (Page page = operand.first; page < operand.first + operand.count; ++page) {
    if (!rmp.entry(page).is_validated) {
      return Nested(RmpFault::kNotValidated, page);
    }
  }
  return Code(SNP_OK);
}

InstructionOutcome Rmpadjust(const SnpOperands& operands, Rmp& rmp, const Operand& operand,
                             unsigned vmpl) {
  const unsigned target = operands.attributes & 0xff;
  const uint8_t rights = operands.attributes >> 8 & 0xff;
  const bool is_vmsa = (operands.attributes & SNP_RMPADJUST_VMSA) != 0;
  if (target >= kVmpls || (rights & ~SNP_RIGHTS_ALL) != 0 || (operands.attributes >> 17) != 0) {
    return Code(SNP_FAIL_INPUT);
  }
  if (target <= vmpl || (is_vmsa && vmpl != 0)) {
    return Code(SNP_FAIL_PERMISSION);
  }
  // Nobody gives what he does not have. The VMSA's bit is VMPL0's to set and clear.
  for (Page page = operand.first; page < operand.first + operand.count; ++page) {
    if ((rights & ~rmp.Rights(page, vmpl)) != 0 || (rmp.entry(page).is_vmsa && vmpl != 0)) {
      return Code(SNP_FAIL_PERMISSION);
    }
  }
  if (is_vmsa && operand.count != 1) {
    return Code(SNP_FAIL_INPUT);
  }
  if (rmp.entry(operand.first).is_running) {
    return Code(SNP_FAIL_IN_USE);
  }
  for (Page page = operand.first; page < operand.first + operand.count; ++page) {
    rmp.SetRights(page, target, rights, is_vmsa);
  }
  return Code(SNP_OK);
}

InstructionOutcome Rmpquery(const SnpOperands& operands, const Rmp& rmp, const Operand& operand,
                            unsigned vmpl) {
  const unsigned target = operands.attributes & 0xff;
  if (target >= kVmpls) {
    return Code(SNP_FAIL_INPUT);
  }
  if (target < vmpl) {
    return Code(SNP_FAIL_PERMISSION);
  }
  const RmpEntry& entry = rmp.entry(operand.first);
  InstructionOutcome outcome = Code(SNP_OK);
  outcome.size = entry.is_large ? SNP_SIZE_2M : SNP_SIZE_4K;
  outcome.attributes = target | uint64_t{rmp.Rights(operand.first, target)} << 8 |
                       (entry.is_vmsa ? SNP_RMPADJUST_VMSA : 0);
  return outcome;
}

}  // namespace

InstructionOutcome ExecuteSnp(Instruction instruction, const SnpOperands& operands,
                              const GuestSpace& space, Rmp& rmp, unsigned vmpl, unsigned cpl) {
  if (cpl != 0 || (instruction == Instruction::kPvalidate && vmpl != 0)) {
    return {.kind = Kind::kGeneralProtection};
  }
  if (instruction == Instruction::kRmpadjust) {
    // Before anything is looked up: a VMPL learns its own level by asking for what it may not.
    const unsigned target = operands.attributes & 0xff;
    if (target < kVmpls && target <= vmpl) {
      return Code(SNP_FAIL_PERMISSION);
    }
  }
  Operand operand;
  const InstructionOutcome resolved =
      Resolve(operands, space, rmp, instruction != Instruction::kRmpquery, operand);
  if (resolved.kind != Kind::kDone || resolved.code != SNP_OK) {
    return resolved;
  }
  if (instruction == Instruction::kPvalidate) {
    return Pvalidate(operands, rmp, operand);
  }
  const InstructionOutcome validated = CheckValidated(rmp, operand);
  if (validated.kind != Kind::kDone) {
    return validated;
  }
  return instruction == Instruction::kRmpadjust ? Rmpadjust(operands, rmp, operand, vmpl)
                                                : Rmpquery(operands, rmp, operand, vmpl);
}

}  // namespace nsgx::emu
