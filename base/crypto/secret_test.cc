// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/core/bytes.h"
#include "base/crypto/constant_time.h"
#include "base/crypto/secure_zero.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

TEST(EqualInConstantTime, SeesEveryBit) {
  const testing_support::Bytes a = testing_support::Pattern(33, 1);
  EXPECT_TRUE(EqualInConstantTime(a, a));
  for (size_t i = 0; i < a.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      testing_support::Bytes b = a;
      b[i] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(EqualInConstantTime(a, b));
    }
  }
}

TEST(EqualInConstantTime, SizesMatter) {
  EXPECT_TRUE(EqualInConstantTime({}, {}));
  EXPECT_FALSE(EqualInConstantTime(BytesOf("ab"), BytesOf("abc")));
  EXPECT_FALSE(EqualInConstantTime(BytesOf("a"), {}));
}

TEST(SecureZero, Zeroes) {
  std::array<std::byte, 37> secret;
  secret.fill(std::byte{0xa5});
  SecureZero(std::span(secret).subspan(1, 35));
  EXPECT_EQ(secret[0], std::byte{0xa5});
  EXPECT_EQ(secret[36], std::byte{0xa5});
  for (size_t i = 1; i < 36; ++i) {
    EXPECT_EQ(secret[i], std::byte{0});
  }
  struct {
    int a = 1;
    long b = 2;
  } object;
  SecureZeroObject(object);
  EXPECT_EQ(object.a, 0);
  EXPECT_EQ(object.b, 0);
  SecureZero({});
}

}  // namespace
}  // namespace nsgx
