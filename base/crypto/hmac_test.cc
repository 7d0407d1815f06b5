// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/hmac.h"

#include <gtest/gtest.h>
#include <mbedtls/md.h>

#include <string>

#include "base/core/bytes.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::Bytes;
using testing_support::FromHex;
using testing_support::MutableRaw;
using testing_support::Pattern;
using testing_support::Raw;
using testing_support::ToHex;

// RFC 4231, test cases 1, 2, 3, 4, 6 and 7.
TEST(HmacSha256, StandardExamples) {
  EXPECT_EQ(ToHex(HmacSha256::Compute(Bytes(20, std::byte{0x0b}), BytesOf("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(ToHex(HmacSha256::Compute(BytesOf("Jefe"), BytesOf("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(ToHex(HmacSha256::Compute(Bytes(20, std::byte{0xaa}), Bytes(50, std::byte{0xdd}))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(ToHex(HmacSha256::Compute(FromHex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                                      Bytes(50, std::byte{0xcd}))),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(
      ToHex(HmacSha256::Compute(Bytes(131, std::byte{0xaa}),
                                BytesOf("Test Using Larger Than Block-Size Key - Hash Key First"))),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(ToHex(HmacSha256::Compute(
                Bytes(131, std::byte{0xaa}),
                BytesOf("This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the HMAC "
                        "algorithm."))),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(HmacSha256, EveryKeySizeAgreesWithMbedtls) {
  const Bytes data = Pattern(77, 1);
  for (size_t size = 0; size <= 140; ++size) {
    const Bytes key = Pattern(size, static_cast<unsigned>(size));
    HmacSha256::Mac expected;
    ASSERT_EQ(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), Raw(key), key.size(),
                              Raw(data), data.size(), MutableRaw(expected)),
              0);
    EXPECT_EQ(HmacSha256::Compute(key, data), expected) << size;
  }
}

TEST(HmacSha256, ServesManyMessages) {
  const Bytes key = Pattern(32, 2);
  HmacSha256 hmac(key);
  for (unsigned i = 0; i < 3; ++i) {
    const Bytes data = Pattern(100, i);
    hmac.Update(std::span(data).first(33));
    hmac.Update(std::span(data).subspan(33));
    EXPECT_EQ(hmac.Finish(), HmacSha256::Compute(key, data));
  }
}

}  // namespace
}  // namespace nsgx
