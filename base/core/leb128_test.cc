// SPDX-License-Identifier: Apache-2.0
#include "base/core/leb128.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace nsgx {
namespace {

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int value : values) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

TEST(Leb128, Unsigned) {
  const struct {
    std::vector<std::byte> bytes;
    uint64_t value;
  } cases[] = {
      {Bytes({0x00}), 0},
      {Bytes({0x7f}), 127},
      {Bytes({0x80, 0x01}), 128},
      {Bytes({0xe5, 0x8e, 0x26}), 624485},
      {Bytes({0x81, 0x80, 0x00}), 1},
      {Bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}), ~uint64_t{0}},
      {Bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}), ~uint64_t{0}},
  };
  for (const auto& [bytes, value] : cases) {
    ByteReader reader(bytes);
    EXPECT_EQ(ReadUleb128(reader).value(), value);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(Leb128, Signed) {
  const struct {
    std::vector<std::byte> bytes;
    int64_t value;
  } cases[] = {
      {Bytes({0x00}), 0},
      {Bytes({0x3f}), 63},
      {Bytes({0x7f}), -1},
      {Bytes({0x40}), -64},
      {Bytes({0x80, 0x7f}), -128},
      {Bytes({0xc0, 0xbb, 0x78}), -123456},
      {Bytes({0xff, 0x00}), 127},
      {Bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}), INT64_MIN},
      {Bytes({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}), INT64_MAX},
  };
  for (const auto& [bytes, value] : cases) {
    ByteReader reader(bytes);
    EXPECT_EQ(ReadSleb128(reader).value(), value);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(Leb128, EndsWithinTheNumber) {
  for (const auto& bytes : {Bytes({}), Bytes({0x80}), Bytes({0xff, 0xff})}) {
    ByteReader plain(bytes);
    EXPECT_EQ(ReadUleb128(plain).error(), Status::kMalformed);
    ByteReader with_sign(bytes);
    EXPECT_EQ(ReadSleb128(with_sign).error(), Status::kMalformed);
  }
}

}  // namespace
}  // namespace nsgx
