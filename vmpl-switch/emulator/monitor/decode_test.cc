// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/decode.h"

#include <gtest/gtest.h>

#include <vector>

namespace nsgx::emu {
namespace {

Decoded DecodeBytes(const std::vector<int>& bytes, bool is_64_bit = true) {
  std::vector<std::byte> buffer;
  for (const int byte : bytes) {
    buffer.push_back(static_cast<std::byte>(byte));
  }
  return Decode(buffer, is_64_bit);
}

TEST(Decode, KnowsWhatExitsStopAt) {
  struct Case {
    std::vector<int> bytes;
    Instruction instruction;
    int size;
  };
  const Case cases[] = {
      {{0xf2, 0x0f, 0x01, 0xff}, Instruction::kPvalidate, 4},
      {{0xf3, 0x0f, 0x01, 0xfe}, Instruction::kRmpadjust, 4},
      {{0xf3, 0x0f, 0x01, 0xfd}, Instruction::kRmpquery, 4},
      {{0x0f, 0x01, 0xfe}, Instruction::kInvlpgb, 3},
      {{0x0f, 0x01, 0xff}, Instruction::kTlbsync, 3},
      {{0xf3, 0x0f, 0x01, 0xd9}, Instruction::kVmgexit, 4},
      {{0xf2, 0x0f, 0x01, 0xd9}, Instruction::kVmgexit, 4},
      {{0x0f, 0x01, 0xd9}, Instruction::kVmmcall, 3},
      {{0xf3, 0x48, 0x0f, 0x01, 0xd9}, Instruction::kVmgexit, 5},
      {{0x0f, 0x06}, Instruction::kClts, 2},
      {{0x0f, 0x22, 0xc0}, Instruction::kMovToCr0, 3},
      // Others of the same family.
      {{0xf3, 0x0f, 0x01, 0xff}, Instruction::kOther, 0},
      {{0xf2, 0x0f, 0x01, 0xfe}, Instruction::kOther, 0},
      {{0x0f, 0x01, 0xfd}, Instruction::kOther, 0},
      {{0x0f, 0x22, 0xd8}, Instruction::kOther, 0},  // mov to cr3
      {{0x0f, 0x0b}, Instruction::kOther, 0},
  };
  for (const Case& item : cases) {
    std::vector<int> bytes = item.bytes;
    bytes.resize(15, 0x90);
    const Decoded decoded = DecodeBytes(bytes);
    EXPECT_EQ(decoded.instruction, item.instruction) << testing::PrintToString(item.bytes);
    EXPECT_EQ(decoded.size, item.size) << testing::PrintToString(item.bytes);
  }
}

TEST(Decode, KnowsTheRegister) {
  EXPECT_EQ(DecodeBytes({0x0f, 0x22, 0xc3}).register_number, 3);
  EXPECT_EQ(DecodeBytes({0x41, 0x0f, 0x22, 0xc7}).register_number, 15);
  // mov to cr8.
  EXPECT_EQ(DecodeBytes({0x44, 0x0f, 0x22, 0xc0}).instruction, Instruction::kOther);
  // Without 64-bit mode these are no prefixes.
  EXPECT_EQ(DecodeBytes({0x41, 0x0f, 0x22, 0xc7}, false).instruction, Instruction::kOther);
}

TEST(Decode, ReadsNoFurtherThanThereAreBytes) {
  const std::vector<int> whole = {0xf2, 0x0f, 0x01, 0xff};
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(DecodeBytes(std::vector<int>(whole.begin(), whole.begin() + static_cast<int>(size)))
                  .instruction,
              Instruction::kOther)
        << size;
  }
  EXPECT_EQ(DecodeBytes(std::vector<int>(40, 0xf2)).instruction, Instruction::kOther);
}

}  // namespace
}  // namespace nsgx::emu
