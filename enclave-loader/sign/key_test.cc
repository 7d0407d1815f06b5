// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/core/bytes.h"
#include "base/core/hex.h"
#include "enclave-loader/sign/deterministic_signature.h"
#include "enclave-loader/sign/development_key.h"
#include "enclave-loader/sign/public_key.h"

namespace nsgx::loader {
namespace {

const Sha256::Digest kDigest = Sha256::Hash(BytesOf("a message"));

TEST(KeyTest, TheDevelopmentKeyIsTheOneThatIsNamed) {
  std::array<char, 64> text;
  EXPECT_EQ(EncodeHex(Sha256::Hash(DevelopmentKey().modulus()), text).value(), kDevelopmentSigner);
}

TEST(KeyTest, SignaturesVerifyAndAreTheSameEachTime) {
  const RsaPrivateKey key = DevelopmentKey();
  const RsaSignature signature = SignDeterministically(key, kDigest).value();
  EXPECT_TRUE(RsaPssVerify(key.modulus(), kDigest, signature).ok());
  EXPECT_EQ(SignDeterministically(DevelopmentKey(), kDigest).value(), signature);

  const Sha256::Digest other = Sha256::Hash(BytesOf("another message"));
  EXPECT_FALSE(RsaPssVerify(key.modulus(), other, signature).ok());
  EXPECT_NE(SignDeterministically(key, other).value(), signature);
}

TEST(KeyTest, PublicKeysGoThereAndBack) {
  const RsaPrivateKey key = DevelopmentKey();
  const std::string pem = PublicKeyPem(key.modulus());
  EXPECT_EQ(pem.rfind("-----BEGIN PUBLIC KEY-----\n", 0), 0u);
  EXPECT_EQ(SignerOfPublicKey(pem).value(), Sha256::Hash(key.modulus()));
}

TEST(KeyTest, OtherThingsAreNoPublicKeys) {
  EXPECT_NE(SignerOfPublicKey("").error().text().find("no public key"), std::string_view::npos);
  EXPECT_NE(SignerOfPublicKey("nonsense").error().text().find("no public key"),
            std::string_view::npos);
  constexpr std::string_view kEllipticCurve =
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
      "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
      "-----END PUBLIC KEY-----\n";
  EXPECT_NE(SignerOfPublicKey(kEllipticCurve).error().text().find("no RSA key of 3072 bits"),
            std::string_view::npos);
}

}  // namespace
}  // namespace nsgx::loader
