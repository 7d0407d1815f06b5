// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/decode.h"

namespace nsgx::emu {
namespace {

constexpr uint8_t kOperandSize = 0x66;
constexpr uint8_t kRepne = 0xf2;
constexpr uint8_t kRep = 0xf3;
constexpr uint8_t kTwoByteEscape = 0x0f;
constexpr uint8_t kGroup7 = 0x01;
constexpr uint8_t kClts = 0x06;
constexpr uint8_t kMovToControl = 0x22;
constexpr uint8_t kRexB = 1 << 0;
constexpr uint8_t kRexR = 1 << 2;

struct Extended {
  uint8_t prefix;  // 0: none
  uint8_t modrm;
  Instruction instruction;
};
constexpr Extended kGroup7Instructions[] = {
    {kRepne, 0xff, Instruction::kPvalidate}, {kRep, 0xfe, Instruction::kRmpadjust},
    {kRep, 0xfd, Instruction::kRmpquery},    {kRep, 0xd9, Instruction::kVmgexit},
    {kRepne, 0xd9, Instruction::kVmgexit},   {0, 0xd9, Instruction::kVmmcall},
    {0, 0xfe, Instruction::kInvlpgb},        {0, 0xff, Instruction::kTlbsync},
};

}  // namespace

Decoded Decode(std::span<const std::byte> bytes, bool is_64_bit) {
  size_t at = 0;
  const auto peek = [&]() -> int {
    return at < bytes.size() && at < kMaxInstructionSize ? std::to_integer<int>(bytes[at]) : -1;
  };
  uint8_t prefix = 0;
  uint8_t rex = 0;
  for (;; ++at) {
    const int byte = peek();
    if (byte == kRep || byte == kRepne) {
      prefix = static_cast<uint8_t>(byte);
    } else if (byte != kOperandSize) {
      break;
    }
  }
  if (is_64_bit && peek() >= 0x40 && peek() <= 0x4f) {
    rex = static_cast<uint8_t>(peek());
    ++at;
  }
  if (peek() != kTwoByteEscape) {
    return {};
  }
  ++at;
  const int opcode = peek();
  ++at;
  if (opcode == kClts) {
    return {Instruction::kClts, static_cast<uint8_t>(at), 0};
  }
  const int modrm = peek();
  ++at;
  if (modrm < 0) {
    return {};
  }
  const uint8_t size = static_cast<uint8_t>(at);
  if (opcode == kMovToControl && (modrm >> 3 & 7) == 0 && (rex & kRexR) == 0) {
    return {Instruction::kMovToCr0, size,
            static_cast<uint8_t>((modrm & 7) | ((rex & kRexB) != 0 ? 8 : 0))};
  }
  if (opcode == kGroup7) {
    for (const Extended& item : kGroup7Instructions) {
      if (item.prefix == prefix && item.modrm == modrm) {
        return {item.instruction, size, 0};
      }
    }
  }
  return {};
}

}  // namespace nsgx::emu
