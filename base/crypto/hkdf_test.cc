// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/hkdf.h"

#include <gtest/gtest.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>

#include <vector>

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

struct Example {
  const char* secret;
  const char* salt;
  const char* info;
  const char* key;
};

// RFC 5869, appendix A.1 to A.3.
constexpr Example kExamples[] = {
    {.secret = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     .salt = "000102030405060708090a0b0c",
     .info = "f0f1f2f3f4f5f6f7f8f9",
     .key = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8"
            "87185865"},
    {.secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425"
               "262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b"
               "4c4d4e4f",
     .salt = "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485"
             "868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaab"
             "acadaeaf",
     .info = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5"
             "d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafb"
             "fcfdfeff",
     .key = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7"
            "827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5"
            "c1f3434f1d87"},
    {.secret = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
     .salt = "",
     .info = "",
     .key = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4"
            "b61a96c8"},
};

TEST(Hkdf, StandardExamples) {
  for (const Example& example : kExamples) {
    Bytes key(FromHex(example.key).size());
    ASSERT_TRUE(
        Hkdf(FromHex(example.secret), FromHex(example.salt), FromHex(example.info), key).ok());
    EXPECT_EQ(ToHex(key), example.key);
  }
}

TEST(Hkdf, EverySizeAgreesWithMbedtls) {
  const Bytes secret = Pattern(40, 1);
  const Bytes salt = Pattern(20, 2);
  const Bytes info = Pattern(30, 3);
  const mbedtls_md_info_t* sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  for (size_t size : {size_t{1}, size_t{31}, size_t{32}, size_t{33}, size_t{100}, kHkdfMaxSize}) {
    Bytes key(size);
    Bytes expected(size);
    ASSERT_TRUE(Hkdf(secret, salt, info, key).ok());
    ASSERT_EQ(mbedtls_hkdf(sha256, Raw(salt), salt.size(), Raw(secret), secret.size(), Raw(info),
                           info.size(), MutableRaw(expected), size),
              0);
    EXPECT_EQ(key, expected) << size;
  }
}

TEST(Hkdf, TooMuchIsRefusedAndNothingChanges) {
  Bytes key(kHkdfMaxSize + 1, std::byte{7});
  EXPECT_EQ(Hkdf(BytesOf("secret"), {}, {}, key).error(), Status::kOutOfRange);
  EXPECT_EQ(key, Bytes(kHkdfMaxSize + 1, std::byte{7}));
  EXPECT_TRUE(Hkdf(BytesOf("secret"), {}, {}, {}).ok());
}

TEST(Hkdf, EveryInputCounts) {
  auto derive = [](std::string_view secret, std::string_view salt, std::string_view info) {
    Bytes key(32);
    EXPECT_TRUE(Hkdf(BytesOf(secret), BytesOf(salt), BytesOf(info), key).ok());
    return key;
  };
  const Bytes key = derive("a", "b", "c");
  EXPECT_EQ(key, derive("a", "b", "c"));
  EXPECT_NE(key, derive("x", "b", "c"));
  EXPECT_NE(key, derive("a", "x", "c"));
  EXPECT_NE(key, derive("a", "b", "x"));
}

}  // namespace
}  // namespace nsgx
