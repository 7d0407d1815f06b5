// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/ecdsa_p384.h"

#include <gtest/gtest.h>
#include <mbedtls/pk.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/core/bytes.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::Bytes;
using testing_support::FromHex;
using testing_support::Pattern;
using testing_support::PatternEntropy;
using testing_support::Raw;
using testing_support::ToHex;

using Seed = std::array<std::byte, EcdsaP384PrivateKey::kSeedSize>;

class EcdsaP384 : public testing::Test {
 protected:
  EcdsaP384() { EXPECT_TRUE(drbg_.Seed(entropy_, {}).ok()); }

  EcdsaP384PrivateKey DeriveFrom(std::string_view hex) {
    Seed seed{};
    const Bytes bytes = FromHex(hex);
    std::ranges::copy(bytes, seed.end() - static_cast<long>(bytes.size()));
    return std::move(EcdsaP384PrivateKey::Derive(seed, drbg_)).value();
  }

  PatternEntropy entropy_;
  Drbg drbg_;
};

// RFC 6979, A.2.6. Deriving adds one to the seed, so the seed is the private key minus one.
constexpr char kSeedOfExample[] =
    "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2ed"
    "f4";
constexpr char kPublicKeyOfExample[] =
    "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc"
    "13"
    "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd25332647"
    "20";

TEST_F(EcdsaP384, StandardExamples) {
  const EcdsaP384PrivateKey key = DeriveFrom(kSeedOfExample);
  EXPECT_EQ(ToHex(key.public_key().raw()), kPublicKeyOfExample);
  const Sha384::Digest sample = Sha384::Hash(BytesOf("sample"));
  EXPECT_EQ(
      ToHex(key.Sign(sample, drbg_).value()),
      "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e"
      "80fabe4699ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e"
      "7b82c71a38628ac8");
  const Sha384::Digest test = Sha384::Hash(BytesOf("test"));
  EXPECT_EQ(
      ToHex(key.Sign(test, drbg_).value()),
      "8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb0542a7f0812998da8f1dd3ca"
      "3cf023dbddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e06a739f040649a667"
      "bf3b828246baa5a5");
}

TEST_F(EcdsaP384, VerifiesWhatItSignsAndNothingElse) {
  const EcdsaP384PrivateKey key = EcdsaP384PrivateKey::Generate(drbg_).value();
  const Sha384::Digest digest = Sha384::Hash(BytesOf("text"));
  const EcdsaP384Signature signature = key.Sign(digest, drbg_).value();
  EXPECT_TRUE(key.public_key().Verify(digest, signature).ok());
  EXPECT_EQ(key.public_key().Verify(Sha384::Hash(BytesOf("else")), signature).error(),
            Status::kBadSignature);
  for (size_t i = 0; i < signature.size(); i += 5) {
    EcdsaP384Signature changed = signature;
    changed[i] ^= std::byte{4};
    EXPECT_EQ(key.public_key().Verify(digest, changed).error(), Status::kBadSignature);
  }
  const EcdsaP384PrivateKey other = EcdsaP384PrivateKey::Generate(drbg_).value();
  EXPECT_NE(other.public_key(), key.public_key());
  EXPECT_EQ(other.public_key().Verify(digest, signature).error(), Status::kBadSignature);
}

TEST_F(EcdsaP384, RefusesNumbersOutOfRange) {
  const EcdsaP384PrivateKey key = DeriveFrom("05");
  const Sha384::Digest digest = Sha384::Hash({});
  EXPECT_EQ(key.public_key().Verify(digest, EcdsaP384Signature{}).error(), Status::kBadSignature);
  EcdsaP384Signature huge;
  huge.fill(std::byte{0xff});
  EXPECT_EQ(key.public_key().Verify(digest, huge).error(), Status::kBadSignature);
  EcdsaP384Signature no_s = key.Sign(digest, drbg_).value();
  std::fill(no_s.begin() + kP384ScalarSize, no_s.end(), std::byte{0});
  EXPECT_EQ(key.public_key().Verify(digest, no_s).error(), Status::kBadSignature);
}

TEST_F(EcdsaP384, DerivingIsRepeatableAndDependsOnEveryByte) {
  Seed seed{};
  std::ranges::copy(Pattern(seed.size(), 1), seed.begin());
  const auto key = EcdsaP384PrivateKey::Derive(seed, drbg_).value().public_key();
  EXPECT_EQ(EcdsaP384PrivateKey::Derive(seed, drbg_).value().public_key(), key);
  for (size_t i = 0; i < seed.size(); i += 11) {
    Seed changed = seed;
    changed[i] ^= std::byte{1};
    EXPECT_NE(EcdsaP384PrivateKey::Derive(changed, drbg_).value().public_key(), key);
  }
}

// The ends of the range of scalars: 1 and n - 1 have the same X.
TEST_F(EcdsaP384, DerivesTheFirstAndTheLastScalar) {
  const EcdsaP384PrivateKey first = DeriveFrom("00");
  // n - 2, of NIST SP 800-186.
  const EcdsaP384PrivateKey last = DeriveFrom(
      "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc5"
      "2971");
  const auto& first_raw = first.public_key().raw();
  const auto& last_raw = last.public_key().raw();
  EXPECT_TRUE(std::equal(first_raw.begin(), first_raw.begin() + kP384ScalarSize, last_raw.begin()));
  EXPECT_NE(first_raw, last_raw);
  // n - 1 wraps around to the first.
  EXPECT_EQ(
      DeriveFrom("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0"
                 "a77aecec196accc52972")
          .public_key(),
      first.public_key());
}

TEST_F(EcdsaP384, PublicKeysMustBeOnTheCurve) {
  const auto raw = DeriveFrom("07").public_key().raw();
  EXPECT_EQ(EcdsaP384PublicKey::FromRaw(raw).value().raw(), raw);
  for (size_t i = 0; i < raw.size(); i += 9) {
    EcdsaP384PublicKey::Raw changed = raw;
    changed[i] ^= std::byte{1};
    EXPECT_EQ(EcdsaP384PublicKey::FromRaw(changed).error(), Status::kMalformed);
  }
  EXPECT_EQ(EcdsaP384PublicKey::FromRaw(EcdsaP384PublicKey::Raw{}).error(), Status::kMalformed);
  EcdsaP384PublicKey::Raw huge;
  huge.fill(std::byte{0xff});
  EXPECT_EQ(EcdsaP384PublicKey::FromRaw(huge).error(), Status::kMalformed);
}

TEST_F(EcdsaP384, Der) {
  const EcdsaP384PublicKey key = DeriveFrom("09").public_key();
  const EcdsaP384PublicKey::Der der = key.ToDer();
  EXPECT_EQ(EcdsaP384PublicKey::FromDer(der).value(), key);
  // Another reader understands it.
  mbedtls_pk_context pk;
  mbedtls_pk_init(&pk);
  EXPECT_EQ(mbedtls_pk_parse_public_key(&pk, Raw(der), der.size()), 0);
  EXPECT_EQ(mbedtls_pk_get_bitlen(&pk), 384u);
  mbedtls_pk_free(&pk);

  EXPECT_EQ(EcdsaP384PublicKey::FromDer({}).error(), Status::kMalformed);
  EXPECT_EQ(EcdsaP384PublicKey::FromDer(std::span(der).first(119)).error(), Status::kMalformed);
  for (size_t i = 0; i < 24; ++i) {
    EcdsaP384PublicKey::Der changed = der;
    changed[i] ^= std::byte{1};
    EXPECT_EQ(EcdsaP384PublicKey::FromDer(changed).error(), Status::kMalformed);
  }
  EcdsaP384PublicKey::Der off_curve = der;
  off_curve.back() ^= std::byte{1};
  EXPECT_EQ(EcdsaP384PublicKey::FromDer(off_curve).error(), Status::kMalformed);
}

TEST_F(EcdsaP384, ADryRandomSourceIsSaidSo) {
  Drbg unseeded;
  EXPECT_EQ(EcdsaP384PrivateKey::Generate(unseeded).error(), Status::kBadState);
  EXPECT_EQ(EcdsaP384PrivateKey::Derive(Seed{}, unseeded).error(), Status::kEntropyFailure);
}

}  // namespace
}  // namespace nsgx
