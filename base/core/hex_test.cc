// SPDX-License-Identifier: Apache-2.0
#include "base/core/hex.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <string>

#include "base/core/bytes.h"

namespace nsgx {
namespace {

TEST(Hex, EncodesAndDecodes) {
  std::array<std::byte, 256> all;
  for (size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<std::byte>(i);
  }
  std::array<char, 512> text;
  const std::string_view encoded = EncodeHex(all, text).value();
  EXPECT_EQ(encoded.substr(0, 8), "00010203");
  EXPECT_EQ(encoded.substr(506), "fdfeff");
  std::array<std::byte, 256> decoded;
  ASSERT_TRUE(DecodeHex(encoded, decoded).ok());
  EXPECT_EQ(decoded, all);
  std::string upper(encoded);
  for (char& character : upper) {
    character = static_cast<char>(std::toupper(character));
  }
  ASSERT_TRUE(DecodeHex(upper, decoded).ok());
  EXPECT_EQ(decoded, all);
}

TEST(Hex, EncodeNeedsRoom) {
  std::array<char, 5> text;
  EXPECT_EQ(EncodeHex(BytesOf("ab"), text).value(), "6162");
  EXPECT_EQ(EncodeHex(BytesOf("abc"), text).error(), Status::kOutOfRange);
}

TEST(Hex, DecodeRefusesEverythingElse) {
  std::array<std::byte, 2> bytes;
  for (const char* text : {"", "0", "000", "00000", "0x00", "00g0", "00 0", " 000", "000G", "-001",
                           "00/0", "00:0", "00@0", "00`0"}) {
    EXPECT_EQ(DecodeHex(text, bytes).error(), Status::kMalformed) << text;
  }
  EXPECT_TRUE(DecodeHex("", {}).ok());
}

TEST(Hex, Logs) {
  std::array<char, 8> memory;
  TextBuffer out(memory);
  AppendText(out, HexBytes{BytesOf("\x01\xff")});
  EXPECT_EQ(out.text(), "01ff");
}

}  // namespace
}  // namespace nsgx
