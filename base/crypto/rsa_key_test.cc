// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/rsa_key.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/core/bytes.h"
#include "base/crypto/test_key.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::kTestKeyModulus;
using testing_support::kTestKeyPem;
using testing_support::PatternEntropy;
using testing_support::ToHex;

class RsaKey : public testing::Test {
 protected:
  RsaKey() { EXPECT_TRUE(drbg_.Seed(entropy_, {}).ok()); }

  PatternEntropy entropy_;
  Drbg drbg_;
};

TEST_F(RsaKey, ReadsAFile) {
  const RsaPrivateKey key = RsaPrivateKey::FromPem(kTestKeyPem).value();
  EXPECT_EQ(ToHex(key.modulus()), kTestKeyModulus);
}

TEST_F(RsaKey, SignsWhatVerifies) {
  const RsaPrivateKey key = RsaPrivateKey::FromPem(kTestKeyPem).value();
  const Sha256::Digest digest = Sha256::Hash(BytesOf("text"));
  const RsaSignature first = key.Sign(digest, drbg_).value();
  const RsaSignature second = key.Sign(digest, drbg_).value();
  EXPECT_NE(first, second);  // the salt
  EXPECT_TRUE(RsaPssVerify(key.modulus(), digest, first).ok());
  EXPECT_TRUE(RsaPssVerify(key.modulus(), digest, second).ok());
  EXPECT_EQ(RsaPssVerify(key.modulus(), Sha256::Hash(BytesOf("else")), first).error(),
            Status::kBadSignature);
}

TEST_F(RsaKey, WritesWhatItReads) {
  const RsaPrivateKey key = RsaPrivateKey::FromPem(kTestKeyPem).value();
  std::array<char, RsaPrivateKey::kMaxPemSize> buffer;
  const std::string pem(key.ToPem(buffer).value());
  EXPECT_TRUE(pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
  const RsaPrivateKey again = RsaPrivateKey::FromPem(pem).value();
  EXPECT_EQ(again.modulus(), key.modulus());
  const Sha256::Digest digest = Sha256::Hash({});
  EXPECT_TRUE(RsaPssVerify(key.modulus(), digest, again.Sign(digest, drbg_).value()).ok());
  EXPECT_EQ(key.ToPem(std::span(buffer).first(buffer.size() - 1)).error(), Status::kOutOfRange);
}

TEST_F(RsaKey, RefusesWhatIsNoKey) {
  EXPECT_EQ(RsaPrivateKey::FromPem("").error(), Status::kMalformed);
  EXPECT_EQ(RsaPrivateKey::FromPem("-----BEGIN PRIVATE KEY-----\n").error(), Status::kMalformed);
  EXPECT_EQ(RsaPrivateKey::FromPem(std::string(RsaPrivateKey::kMaxPemSize + 1, 'x')).error(),
            Status::kMalformed);
  std::string changed = kTestKeyPem;
  changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(RsaPrivateKey::FromPem(changed).ok());
}

TEST_F(RsaKey, RefusesOtherKindsOfKeys) {
  for (const char* pem : {testing_support::kOtherKeyEc, testing_support::kOtherKeySmall,
                          testing_support::kOtherKeyExponent}) {
    EXPECT_EQ(RsaPrivateKey::FromPem(pem).error(), Status::kUnsupported) << pem;
  }
}

TEST_F(RsaKey, Generates) {
  const RsaPrivateKey key = RsaPrivateKey::Generate(drbg_).value();
  EXPECT_NE(key.modulus().front() & std::byte{0x80}, std::byte{0});
  const Sha256::Digest digest = Sha256::Hash(BytesOf("text"));
  EXPECT_TRUE(RsaPssVerify(key.modulus(), digest, key.Sign(digest, drbg_).value()).ok());
}

TEST_F(RsaKey, ADryRandomSourceIsSaidSo) {
  Drbg unseeded;
  EXPECT_EQ(RsaPrivateKey::Generate(unseeded).error(), Status::kEntropyFailure);
  const RsaPrivateKey key = RsaPrivateKey::FromPem(kTestKeyPem).value();
  EXPECT_EQ(key.Sign({}, unseeded).error(), Status::kEntropyFailure);
}

}  // namespace
}  // namespace nsgx
