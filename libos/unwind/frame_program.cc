// SPDX-License-Identifier: Apache-2.0
#include "libos/unwind/frame_program.h"

#include "base/core/leb128.h"

namespace nsgx::libos {
namespace {

using Kind = UnwindRule::Kind;

}  // namespace

Result<uint64_t> FrameProgram::ReadFactored(ByteReader& code) const {
  return TRY(ReadUleb128(code)) * data_factor_;
}

Result<uint64_t> FrameProgram::ReadSignedFactored(ByteReader& code) const {
  return static_cast<uint64_t>(TRY(ReadSleb128(code))) * data_factor_;
}

void FrameProgram::Define(uint64_t which, const UnwindRule& rule) {
  // Vector registers have no part in a walk.
  if (which < UnwindRegisters::kCount) {
    row_.rules[which] = rule;
  }
}

void FrameProgram::Restore(uint64_t which) {
  if (which < UnwindRegisters::kCount) {
    row_.rules[which] = initial_.rules[which];
  }
}

Result<uint64_t> FrameProgram::RunExtended(uint8_t instruction, ByteReader& code) {
  enum : uint8_t {
    kNop = 0x00,
    kAdvance1 = 0x02,
    kAdvance2 = 0x03,
    kAdvance4 = 0x04,
    kOffsetExtended = 0x05,
    kRestoreExtended = 0x06,
    kUndefined = 0x07,
    kSameValue = 0x08,
    kRegister = 0x09,
    kRememberState = 0x0a,
    kRestoreState = 0x0b,
    kDefineFrame = 0x0c,
    kDefineFrameRegister = 0x0d,
    kDefineFrameOffset = 0x0e,
    kOffsetExtendedSigned = 0x11,
    kDefineFrameSigned = 0x12,
    kDefineFrameOffsetSigned = 0x13,
    kValueOffset = 0x14,
    kArgumentsSize = 0x2e,
  };
  switch (instruction) {
    case kNop:
      return uint64_t{0};
    case kAdvance1:
      return uint64_t{TRY(code.Read<uint8_t>())};
    case kAdvance2:
      return uint64_t{TRY(code.Read<uint16_t>())};
    case kAdvance4:
      return uint64_t{TRY(code.Read<uint32_t>())};
    case kOffsetExtended: {
      const uint64_t which = TRY(ReadUleb128(code));
      Define(which, {Kind::kAtFrame, TRY(ReadFactored(code))});
      return uint64_t{0};
    }
    case kOffsetExtendedSigned: {
      const uint64_t which = TRY(ReadUleb128(code));
      Define(which, {Kind::kAtFrame, TRY(ReadSignedFactored(code))});
      return uint64_t{0};
    }
    case kValueOffset: {
      const uint64_t which = TRY(ReadUleb128(code));
      Define(which, {Kind::kFrameValue, TRY(ReadFactored(code))});
      return uint64_t{0};
    }
    case kRegister: {
      const uint64_t which = TRY(ReadUleb128(code));
      Define(which, {Kind::kInRegister, TRY(ReadUleb128(code))});
      return uint64_t{0};
    }
    case kRestoreExtended:
      Restore(TRY(ReadUleb128(code)));
      return uint64_t{0};
    case kUndefined:
      Define(TRY(ReadUleb128(code)), {Kind::kUndefined});
      return uint64_t{0};
    case kSameValue:
      Define(TRY(ReadUleb128(code)), {Kind::kUnchanged});
      return uint64_t{0};
    case kRememberState:
      if (saved_count_ == kSavedRows) {
        return Error(Status::kUnsupported);
      }
      saved_[saved_count_++] = row_;
      return uint64_t{0};
    case kRestoreState:
      if (saved_count_ == 0) {
        return Error(Status::kMalformed);
      }
      row_ = saved_[--saved_count_];
      return uint64_t{0};
    case kDefineFrame:
      row_.frame_register = TRY(ReadUleb128(code));
      row_.frame_offset = TRY(ReadUleb128(code));
      return uint64_t{0};
    case kDefineFrameSigned:
      row_.frame_register = TRY(ReadUleb128(code));
      row_.frame_offset = TRY(ReadSignedFactored(code));
      return uint64_t{0};
    case kDefineFrameRegister:
      row_.frame_register = TRY(ReadUleb128(code));
      return uint64_t{0};
    case kDefineFrameOffset:
      row_.frame_offset = TRY(ReadUleb128(code));
      return uint64_t{0};
    case kDefineFrameOffsetSigned:
      row_.frame_offset = TRY(ReadSignedFactored(code));
      return uint64_t{0};
    case kArgumentsSize:
      TRY(ReadUleb128(code));
      return uint64_t{0};
    default:
      return Error(Status::kUnsupported);
  }
}

Result<uint64_t> FrameProgram::RunOne(ByteReader& code) {
  const uint8_t instruction = TRY(code.Read<uint8_t>());
  const uint64_t low = instruction & 0x3f;
  switch (instruction >> 6) {
    case 1:
      return low;
    case 2:
      Define(low, {Kind::kAtFrame, TRY(ReadFactored(code))});
      return uint64_t{0};
    case 3:
      Restore(low);
      return uint64_t{0};
    default:
      return RunExtended(instruction, code);
  }
}

Result<void> FrameProgram::RunCommon(ByteReader code) {
  while (!code.at_end()) {
    if (TRY(RunOne(code)) != 0) {
      return Error(Status::kMalformed);
    }
  }
  initial_ = row_;
  return {};
}

Result<void> FrameProgram::Run(ByteReader code, uint64_t begin, uint64_t target) {
  for (uint64_t location = begin; location <= target && !code.at_end();) {
    location += TRY(RunOne(code)) * code_factor_;
  }
  if (row_.frame_register >= UnwindRegisters::kCount) {
    return Error(Status::kMalformed);
  }
  return {};
}

}  // namespace nsgx::libos
