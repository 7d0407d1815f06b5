// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/rsa_pss.h"

#include <gtest/gtest.h>
#include <mbedtls/bignum.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>

#include "base/core/bytes.h"
#include "base/crypto/rsa_raise.h"
#include "base/crypto/test_key.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::Bytes;
using testing_support::FromHex;
using testing_support::kTestKeyModulus;
using testing_support::kTestKeyPem;
using testing_support::kTestSignature;
using testing_support::kTestSignaturePkcs1;
using testing_support::kTestSignatureShortSalt;
using testing_support::MutableRaw;
using testing_support::Pattern;
using testing_support::Raw;

RsaSignature Numbers(std::string_view hex) {
  const Bytes bytes = FromHex(hex);
  RsaSignature result;
  EXPECT_EQ(bytes.size(), result.size());
  std::ranges::copy(bytes, result.begin());
  return result;
}

// mbedTLS with the test key.
class Oracle {
 public:
  Oracle() {
    mbedtls_pk_init(&pk_);
    EXPECT_EQ(mbedtls_pk_parse_key(&pk_, reinterpret_cast<const unsigned char*>(kTestKeyPem),
                                   sizeof(kTestKeyPem), nullptr, 0, nullptr, nullptr),
              0);
    EXPECT_EQ(mbedtls_rsa_set_padding(rsa(), MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256), 0);
  }
  ~Oracle() { mbedtls_pk_free(&pk_); }

  mbedtls_rsa_context* rsa() { return mbedtls_pk_rsa(pk_); }

  RsaSignature Sign(const Sha256::Digest& digest) {
    RsaSignature signature;
    EXPECT_EQ(mbedtls_rsa_rsassa_pss_sign_ext(rsa(), &Random, nullptr, MBEDTLS_MD_SHA256,
                                              static_cast<unsigned>(digest.size()), Raw(digest),
                                              kRsaSaltSize, MutableRaw(signature)),
              0);
    return signature;
  }

  // Applies the private operation to any number, without padding.
  RsaSignature RawSign(const std::array<std::byte, kRsaSize>& message) {
    RsaSignature signature;
    EXPECT_EQ(mbedtls_rsa_private(rsa(), &Random, nullptr, Raw(message), MutableRaw(signature)), 0);
    return signature;
  }

  static int Random(void*, unsigned char* out, size_t size) {
    std::generate_n(out, size, [] { return static_cast<unsigned char>(engine_()); });
    return 0;
  }

 private:
  static inline std::mt19937 engine_;
  mbedtls_pk_context pk_;
};

const Sha256::Digest& MessageDigest() {
  static const Sha256::Digest digest = Sha256::Hash(BytesOf("message"));
  return digest;
}

TEST(RsaPss, AcceptsOpenSslsSignature) {
  EXPECT_TRUE(
      RsaPssVerify(Numbers(kTestKeyModulus), MessageDigest(), Numbers(kTestSignature)).ok());
}

TEST(RsaPss, AcceptsMbedtlsSignatures) {
  Oracle oracle;
  const RsaModulus modulus = Numbers(kTestKeyModulus);
  for (unsigned i = 0; i < 10; ++i) {
    const Sha256::Digest digest = Sha256::Hash(Pattern(i, i));
    const RsaSignature signature = oracle.Sign(digest);
    EXPECT_TRUE(RsaPssVerify(modulus, digest, signature).ok());
    EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), signature).error(), Status::kBadSignature);
  }
}

TEST(RsaPss, RefusesOtherParameters) {
  const RsaModulus modulus = Numbers(kTestKeyModulus);
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), Numbers(kTestSignatureShortSalt)).error(),
            Status::kBadSignature);
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), Numbers(kTestSignaturePkcs1)).error(),
            Status::kBadSignature);
}

TEST(RsaPss, RefusesAnyChangedByte) {
  const RsaModulus modulus = Numbers(kTestKeyModulus);
  const RsaSignature signature = Numbers(kTestSignature);
  for (size_t i = 0; i < kRsaSize; i += 7) {
    RsaSignature changed = signature;
    changed[i] ^= std::byte{1};
    EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), changed).error(), Status::kBadSignature);
    // Another modulus, if it is one.
    RsaModulus other = modulus;
    other[i] ^= std::byte{2};
    EXPECT_EQ(RsaPssVerify(other, MessageDigest(), signature).error(), Status::kBadSignature);
  }
  for (size_t i = 0; i < Sha256::kDigestSize; ++i) {
    Sha256::Digest changed = MessageDigest();
    changed[i] ^= std::byte{0x80};
    EXPECT_EQ(RsaPssVerify(modulus, changed, signature).error(), Status::kBadSignature);
  }
}

TEST(RsaPss, RefusesBadModuli) {
  const RsaSignature signature = Numbers(kTestSignature);
  RsaModulus even = Numbers(kTestKeyModulus);
  even.back() &= std::byte{0xfe};
  EXPECT_EQ(RsaPssVerify(even, MessageDigest(), signature).error(), Status::kMalformed);
  RsaModulus short_modulus = Numbers(kTestKeyModulus);
  short_modulus.front() &= std::byte{0x7f};
  EXPECT_EQ(RsaPssVerify(short_modulus, MessageDigest(), signature).error(), Status::kMalformed);
  EXPECT_EQ(RsaPssVerify(RsaModulus{}, MessageDigest(), signature).error(), Status::kMalformed);
}

TEST(RsaPss, RefusesTrivialAndTooLargeSignatures) {
  const RsaModulus modulus = Numbers(kTestKeyModulus);
  RsaSignature value{};
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), value).error(), Status::kBadSignature);
  value.back() = std::byte{1};
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), value).error(), Status::kBadSignature);
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), modulus).error(), Status::kBadSignature);
  value.fill(std::byte{0xff});
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), value).error(), Status::kBadSignature);
  value = modulus;
  value.back() ^= std::byte{1};  // modulus - 1
  EXPECT_EQ(RsaPssVerify(modulus, MessageDigest(), value).error(), Status::kBadSignature);
}

// Encodes as RFC 8017, 9.1.1, with a place to break each part before and after the mask is added.
std::array<std::byte, kRsaSize> Encode(
    const std::function<void(std::span<std::byte, 351> data_block)>& change_data,
    const std::function<void(std::array<std::byte, kRsaSize>&)>& change_message) {
  std::array<std::byte, kRsaSize> message{};
  const std::span<std::byte, 351> data_block = std::span(message).first<351>();
  const Bytes salt = Pattern(kRsaSaltSize, 1);
  data_block[318] = std::byte{1};
  std::ranges::copy(salt, data_block.subspan(319).begin());
  change_data(data_block);
  Sha256 hash;
  hash.Update(Bytes(8));
  hash.Update(MessageDigest());
  hash.Update(data_block.last<kRsaSaltSize>());
  const Sha256::Digest digest = hash.Finish();
  for (size_t i = 0; i < data_block.size(); ++i) {
    Sha256 mask;
    mask.Update(digest);
    mask.Update(Bytes{std::byte{0}, std::byte{0}, std::byte{0}, static_cast<std::byte>(i / 32)});
    data_block[i] ^= mask.Finish()[i % 32];
  }
  data_block[0] &= std::byte{0x7f};
  std::ranges::copy(digest, message.begin() + 351);
  message.back() = std::byte{0xbc};
  change_message(message);
  return message;
}

TEST(RsaPss, EveryPartOfTheEncodingIsChecked) {
  Oracle oracle;
  const RsaModulus modulus = Numbers(kTestKeyModulus);
  auto verify = [&](const std::array<std::byte, kRsaSize>& message) {
    return ToStatus(RsaPssVerify(modulus, MessageDigest(), oracle.RawSign(message)));
  };
  auto no_data = [](std::span<std::byte, 351>) {};
  auto no_message = [](std::array<std::byte, kRsaSize>&) {};
  ASSERT_EQ(verify(Encode(no_data, no_message)), Status::kOk);
  // The padding: not zero in front, at the end, or no one behind it.
  for (size_t i : {1u, 100u, 317u}) {
    EXPECT_EQ(verify(Encode([i](auto block) { block[i] = std::byte{1}; }, no_message)),
              Status::kBadSignature);
  }
  EXPECT_EQ(verify(Encode([](auto block) { block[318] = std::byte{0}; }, no_message)),
            Status::kBadSignature);
  EXPECT_EQ(verify(Encode([](auto block) { block[318] = std::byte{3}; }, no_message)),
            Status::kBadSignature);
  // A salt that begins one byte early.
  EXPECT_EQ(verify(Encode(
                [](auto block) {
                  block[317] = std::byte{1};
                  block[318] = std::byte{5};
                },
                no_message)),
            Status::kBadSignature);
  // The trailer.
  EXPECT_EQ(verify(Encode(no_data, [](auto& message) { message.back() = std::byte{0xcc}; })),
            Status::kBadSignature);
  // The bit that no message may have. (Still below the modulus, which starts with 0xca.)
  EXPECT_EQ(verify(Encode(no_data,
                          [](auto& message) {
                            message.front() = (message.front() & std::byte{0x3f}) | std::byte{0x80};
                          })),
            Status::kBadSignature);
}

TEST(RsaRaise, AgreesWithMbedtls) {
  mbedtls_mpi base;
  mbedtls_mpi exponent;
  mbedtls_mpi modulus;
  mbedtls_mpi result;
  for (mbedtls_mpi* number : {&base, &exponent, &modulus, &result}) {
    mbedtls_mpi_init(number);
  }
  ASSERT_EQ(mbedtls_mpi_lset(&exponent, 65537), 0);
  for (unsigned seed = 0; seed < 40; ++seed) {
    Bytes modulus_bytes = Pattern(kRsaSize, 2 * seed);
    Bytes base_bytes = Pattern(kRsaSize, 2 * seed + 1);
    if (seed % 4 == 1) {
      // All ones: carries everywhere.
      std::ranges::fill(modulus_bytes, std::byte{0xff});
    } else if (seed % 4 == 2) {
      // The smallest modulus: its words are almost all zero.
      std::ranges::fill(modulus_bytes, std::byte{0});
    } else if (seed % 4 == 3) {
      std::ranges::fill(base_bytes, std::byte{0xff});
    }
    // Little-endian: the last byte is the highest.
    modulus_bytes.front() |= std::byte{1};
    modulus_bytes.back() |= std::byte{0x80};
    base_bytes.back() &= std::byte{0x7f};
    internal::RsaNumber modulus_words;
    internal::RsaNumber base_words;
    std::memcpy(modulus_words.data(), modulus_bytes.data(), kRsaSize);
    std::memcpy(base_words.data(), base_bytes.data(), kRsaSize);
    const internal::RsaNumber words = internal::RsaRaise(base_words, modulus_words);

    ASSERT_EQ(mbedtls_mpi_read_binary_le(&modulus, Raw(modulus_bytes), kRsaSize), 0);
    ASSERT_EQ(mbedtls_mpi_read_binary_le(&base, Raw(base_bytes), kRsaSize), 0);
    ASSERT_EQ(mbedtls_mpi_exp_mod(&result, &base, &exponent, &modulus, nullptr), 0);
    Bytes expected(kRsaSize);
    ASSERT_EQ(mbedtls_mpi_write_binary_le(&result, MutableRaw(expected), kRsaSize), 0);
    EXPECT_EQ(std::memcmp(words.data(), expected.data(), kRsaSize), 0) << seed;
  }
  for (mbedtls_mpi* number : {&base, &exponent, &modulus, &result}) {
    mbedtls_mpi_free(number);
  }
}

}  // namespace
}  // namespace nsgx
