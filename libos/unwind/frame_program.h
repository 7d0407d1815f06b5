// SPDX-License-Identifier: Apache-2.0
// What is known of a caller's registers at one place in a function: the instructions of the tables,
// run from the function's first byte to that place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/bytes.h"
#include "base/core/result.h"

namespace nsgx::libos {

// By the numbers that the tables use.
struct UnwindRegisters {
  static constexpr size_t kRsp = 7, kRip = 16, kCount = 17;

  uint64_t value[kCount] = {};

  uint64_t rip() const { return value[kRip]; }
  uint64_t rsp() const { return value[kRsp]; }
};

// What is known of a register of the caller.
struct UnwindRule {
  enum class Kind : uint8_t { kUnchanged, kUndefined, kAtFrame, kFrameValue, kInRegister };
  Kind kind = Kind::kUnchanged;
  uint64_t operand = 0;  // an offset from the frame, or a register
};

// The frame is where rsp was before the call: `frame_register` plus `frame_offset`.
struct UnwindRow {
  uint64_t frame_register = UnwindRegisters::kRsp;
  uint64_t frame_offset = 0;
  UnwindRule rules[UnwindRegisters::kCount] = {};
};

class FrameProgram {
 public:
  FrameProgram(uint64_t code_factor, int64_t data_factor)
      : code_factor_(code_factor), data_factor_(static_cast<uint64_t>(data_factor)) {}

  // The instructions that all functions of a kind begin with; then those of one function that
  // begins at `begin`, until the row for `target` is complete.
  //
  // Errors: kMalformed    the instructions end early or make no sense.
  //         kUnsupported  an instruction that only code written by hand needs.
  Result<void> RunCommon(ByteReader code);
  Result<void> Run(ByteReader code, uint64_t begin, uint64_t target);

  // Requires: both have been run. `frame_register` is a register.
  const UnwindRow& row() const { return row_; }

 private:
  static constexpr size_t kSavedRows = 8;

  // Runs one instruction; returns how far it goes on in the function.
  Result<uint64_t> RunOne(ByteReader& code);
  Result<uint64_t> RunExtended(uint8_t instruction, ByteReader& code);

  Result<uint64_t> ReadFactored(ByteReader& code) const;
  Result<uint64_t> ReadSignedFactored(ByteReader& code) const;
  void Define(uint64_t which, const UnwindRule& rule);
  void Restore(uint64_t which);

  uint64_t code_factor_;
  uint64_t data_factor_;  // may be negative: everything is modulo 2^64
  UnwindRow row_;
  UnwindRow initial_;
  UnwindRow saved_[kSavedRows];
  size_t saved_count_ = 0;
};

}  // namespace nsgx::libos
