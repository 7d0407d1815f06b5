// SPDX-License-Identifier: Apache-2.0
// Public-key operations on the arena, as the SEH has them. A program of its own, because it is the
// whole program that changes over.
#include "base/crypto/mbedtls_heap.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <vector>

#include "base/core/bytes.h"
#include "base/crypto/ecdsa_p384.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::PatternEntropy;

class MbedtlsHeap : public testing::Test {
 protected:
  static void SetUpTestSuite() { UseMbedtlsArena(); }

  void SetUp() override { ASSERT_TRUE(drbg_.Seed(entropy_, {}).ok()); }
  void TearDown() override { EXPECT_EQ(MbedtlsArenaUsed(), 0u); }

  PatternEntropy entropy_;
  Drbg drbg_;
};

TEST_F(MbedtlsHeap, EveryOperationGivesBackWhatItTook) {
  Result<EcdsaP384PrivateKey> key = EcdsaP384PrivateKey::Generate(drbg_);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(MbedtlsArenaUsed(), 0u);
  EXPECT_GT(MbedtlsArenaPeak(), 0u);

  const Sha384::Digest digest = Sha384::Hash(BytesOf("text"));
  Result<EcdsaP384Signature> signature = key.value().Sign(digest, drbg_);
  ASSERT_TRUE(signature.ok());
  EXPECT_EQ(MbedtlsArenaUsed(), 0u);

  const EcdsaP384PublicKey& public_key = key.value().public_key();
  EXPECT_TRUE(public_key.Verify(digest, signature.value()).ok());
  EXPECT_EQ(MbedtlsArenaUsed(), 0u);
  EXPECT_FALSE(public_key.Verify(digest, EcdsaP384Signature{}).ok());
  EXPECT_EQ(MbedtlsArenaUsed(), 0u);
  EXPECT_TRUE(EcdsaP384PublicKey::FromRaw(public_key.raw()).ok());
  EXPECT_FALSE(EcdsaP384PublicKey::FromRaw(EcdsaP384PublicKey::Raw{}).ok());
  EXPECT_EQ(MbedtlsArenaUsed(), 0u);

  std::printf("most memory ever in use: %zu of %zu bytes\n", MbedtlsArenaPeak(), kMbedtlsHeapSize);
  EXPECT_LE(MbedtlsArenaPeak(), kMbedtlsHeapSize / 4) << "not enough for four at a time";
}

// Leaves less and less room, so that each allocation of an operation gets its turn to fail.
TEST_F(MbedtlsHeap, EveryAllocationMayFail) {
  const Sha384::Digest digest = Sha384::Hash(BytesOf("text"));
  const EcdsaP384PrivateKey key = EcdsaP384PrivateKey::Generate(drbg_).value();
  const EcdsaP384Signature expected = key.Sign(digest, drbg_).value();
  size_t failed = 0;
  bool succeeded = false;
  for (size_t room = 0; !succeeded && room < kMbedtlsHeapSize / 2; room += 64) {
    void* hog = nsgx_mbedtls_calloc(1, kMbedtlsHeapSize - 32 - room);
    ASSERT_NE(hog, nullptr);
    const Result<EcdsaP384Signature> signature = key.Sign(digest, drbg_);
    const Result<void> verified = key.public_key().Verify(digest, expected);
    nsgx_mbedtls_free(hog);
    ASSERT_EQ(MbedtlsArenaUsed(), 0u) << "leaks with room for " << room;
    if (signature.ok()) {
      EXPECT_EQ(signature.value(), expected);
    } else {
      ASSERT_EQ(signature.error(), Status::kNoMemory) << room;
      ++failed;
    }
    if (!verified.ok()) {
      ASSERT_EQ(verified.error(), Status::kNoMemory) << room;
    }
    succeeded = signature.ok() && verified.ok();
  }
  EXPECT_TRUE(succeeded);
  EXPECT_GT(failed, 10u);
}

}  // namespace
}  // namespace nsgx
