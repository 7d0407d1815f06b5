// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx::emu {

inline constexpr size_t kMaxInstructionSize = 15;

enum class Instruction : uint8_t {
  kOther,
  kPvalidate,
  kRmpadjust,
  kRmpquery,
  kInvlpgb,
  kTlbsync,
  kVmgexit,
  kVmmcall,
  kMovToCr0,  // register_number
  kClts,
};

struct Decoded {
  Instruction instruction = Instruction::kOther;
  uint8_t size = 0;
  uint8_t register_number = 0;
};

// Recognises the instructions that exits stop at; of the processor's help QEMU gives none. `bytes`:
// what could be read from RIP on.
Decoded Decode(std::span<const std::byte> bytes, bool is_64_bit);

}  // namespace nsgx::emu
