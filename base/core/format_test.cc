// SPDX-License-Identifier: Apache-2.0
#include "base/core/format.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace nsgx {
namespace {

template <typename... Arguments>
std::string Text(const Arguments&... arguments) {
  std::array<char, 128> buffer;
  TextBuffer out(buffer);
  (AppendText(out, arguments), ...);
  EXPECT_FALSE(out.truncated());
  return std::string(out.text());
}

TEST(Format, Integers) {
  EXPECT_EQ(Text(0), "0");
  EXPECT_EQ(Text(uint64_t{UINT64_MAX}), "18446744073709551615");
  EXPECT_EQ(Text(int64_t{INT64_MIN}), "-9223372036854775808");
  EXPECT_EQ(Text(int8_t{-1}, " ", uint8_t{200}, " ", size_t{7}, " ", -42L), "-1 200 7 -42");
}

TEST(Format, Hexadecimal) {
  EXPECT_EQ(Text(Hex{0}), "0x0");
  EXPECT_EQ(Text(Hex{0xdeadBEEF}), "0xdeadbeef");
  EXPECT_EQ(Text(Hex{0x1f, 8}), "0x0000001f");
  EXPECT_EQ(Text(Hex{UINT64_MAX, 1}), "0xffffffffffffffff");
}

TEST(Format, OtherTypes) {
  EXPECT_EQ(Text("text ", std::string_view("view"), ' ', 'c', true, false), "text view ctruefalse");
  EXPECT_EQ(Text(Status::kNoMemory), "NoMemory");
  EXPECT_EQ(Text(GuestPhys(0x1000)), "0x1000");
}

TEST(TextBuffer, WhatDoesNotFitIsDroppedAndRemembered) {
  std::array<char, 6> memory;
  memory.fill('#');
  TextBuffer out(std::span(memory).first(5));
  out.Append("abc");
  EXPECT_FALSE(out.truncated());
  out.AppendDecimal(1234);
  EXPECT_TRUE(out.truncated());
  EXPECT_EQ(out.text(), "abc12");
  EXPECT_EQ(memory[5], '#');
  out.Clear();
  EXPECT_FALSE(out.truncated());
  EXPECT_EQ(out.text(), "");
}

TEST(TextBuffer, MinimumDigits) {
  std::array<char, 32> memory;
  TextBuffer out(memory);
  out.AppendDecimal(5, 3);
  out.Append('.');
  out.AppendHex(0xabc, 2);
  EXPECT_EQ(out.text(), "005.abc");
}

}  // namespace
}  // namespace nsgx
