// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/drbg.h"

#include <gtest/gtest.h>
#include <mbedtls/hmac_drbg.h>

#include <array>
#include <set>
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

// Gives the bytes it was made with, then fails.
class FixedEntropy final : public EntropySource {
 public:
  explicit FixedEntropy(Bytes bytes) : bytes_(std::move(bytes)) {}

  Result<void> Fill(std::span<std::byte> seed) override {
    if (seed.size() > bytes_.size() - used_) {
      return Error(Status::kEntropyFailure);
    }
    std::copy_n(bytes_.begin() + static_cast<long>(used_), seed.size(), seed.begin());
    used_ += seed.size();
    return {};
  }

  size_t used() const { return used_; }

 private:
  Bytes bytes_;
  size_t used_ = 0;
};

struct Example {
  const char* seed;
  const char* personalization;
  const char* reseed;  // empty: no second seed
  const char* output;  // of the second request
};

// NIST CAVS 14.3, HMAC_DRBG, SHA-256, without and with a second seed.
constexpr Example kExamples[] = {
    {.seed = "ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488659ba96c601d"
             "c69fc902940805ec0ca8",
     .personalization = "",
     .reseed = "",
     .output = "e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89d54fbb978a15"
               "b5c443c9ec21036d2460b6f73ebad0dc2aba6e624abf07745bc107694bb7547bb0995f70de25"
               "d6b29e2d3011bb19d27676c07162c8b5ccde0668961df86803482cb37ed6d5c0bb8d50cf1f50"
               "d476aa0458bdaba806f48be9dcb8"},
    {.seed = "5cacc68165a2e2ee20812f35ec73a79dbf30fd475476ac0c44fc6174cdac2b556f885496c1e6"
             "3af620becd9e71ecb824",
     .personalization = "e72dd8590d4ed5295515c35ed6199e9d211b8f069b3058caa6670b96ef1208d0",
     .reseed = "",
     .output = "f1012cf543f94533df27fedfbf58e5b79a3dc517a9c402bdbfc9a0c0f721f9d53faf4aafdc4b"
               "8f7a1b580fcaa52338d4bd95f58966a243cdcd3f446ed4bc546d9f607b190dd69954450d16cd"
               "0e2d6437067d8b44d19a6af7a7cfa8794e5fbd728e8fb2f2e8db5dd4ff1aa275f35886098e80"
               "ff844886060da8b1e7137846b23b"},
    {.seed = "06032cd5eed33f39265f49ecb142c511da9aff2af71203bffaf34a9ca5bd9c0d0e66f71edc43"
             "e42a45ad3c6fc6cdc4df",
     .personalization = "",
     .reseed = "01920a4e669ed3a85ae8a33b35a74ad7fb2a6bb4cf395ce00334a9c9a5a5d552",
     .output = "76fc79fe9b50beccc991a11b5635783a83536add03c157fb30645e611c2898bb2b1bc2150002"
               "09208cd506cb28da2a51bdb03826aaf2bd2335d576d519160842e7158ad0949d1a9ec3e66ea1"
               "b1a064b005de914eac2e9d4f2d72a8616a80225422918250ff66a41bd2f864a6a38cc5b6499d"
               "c43f7f2bd09e1e0f8f5885935124"},
    {.seed = "fa0ee1fe39c7c390aa94159d0de97564342b591777f3e5f6a4ba2aea342ec840dd0820655cb2"
             "ffdb0da9e9310a67c9e5",
     .personalization = "f2e58fe60a3afc59dad37595415ffd318ccf69d67780f6fa0797dc9aa43e144c",
     .reseed = "e0629b6d7975ddfa96a399648740e60f1f9557dc58b3d7415f9ba9d4dbb501f6",
     .output = "f92d4cf99a535b20222a52a68db04c5af6f5ffc7b66a473a37a256bd8d298f9b4aa4af7e8d18"
               "1e02367903f93bdb744c6c2f3f3472626b40ce9bd6a70e7b8f93992a16a76fab6b5f162568e0"
               "8ee6c3e804aefd952ddd3acb791c50f2ad69e9a04028a06a9c01d3a62aca2aaf6efe69ed97a0"
               "16213a2dd642b4886764072d9cbe"},
};

TEST(Drbg, StandardExamples) {
  for (const Example& example : kExamples) {
    FixedEntropy source(FromHex(std::string(example.seed) + example.reseed));
    Drbg drbg;
    ASSERT_TRUE(drbg.Seed(source, FromHex(example.personalization)).ok());
    if (*example.reseed != '\0') {
      ASSERT_TRUE(drbg.Reseed({}).ok());
    }
    Bytes output(FromHex(example.output).size());
    ASSERT_TRUE(drbg.Generate(output).ok());
    ASSERT_TRUE(drbg.Generate(output).ok());
    EXPECT_EQ(ToHex(output), example.output);
  }
}

TEST(Drbg, EverySizeAgreesWithMbedtls) {
  const Bytes seed = Pattern(Drbg::kSeedSize, 1);
  FixedEntropy source(seed);
  Drbg drbg;
  ASSERT_TRUE(drbg.Seed(source, {}).ok());
  mbedtls_hmac_drbg_context oracle;
  mbedtls_hmac_drbg_init(&oracle);
  ASSERT_EQ(mbedtls_hmac_drbg_seed_buf(&oracle, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                       Raw(seed), seed.size()),
            0);
  for (size_t size = 1; size <= 100; ++size) {
    Bytes output(size);
    Bytes expected(size);
    ASSERT_TRUE(drbg.Generate(output).ok());
    ASSERT_EQ(mbedtls_hmac_drbg_random(&oracle, MutableRaw(expected), size), 0);
    ASSERT_EQ(output, expected) << size;
  }
  mbedtls_hmac_drbg_free(&oracle);
}

TEST(Drbg, UnusableUntilSeeded) {
  Drbg drbg;
  std::array<std::byte, 4> out{};
  EXPECT_EQ(drbg.Generate(out).error(), Status::kBadState);
  EXPECT_EQ(drbg.Reseed({}).error(), Status::kBadState);
  FixedEntropy empty(Bytes{});
  EXPECT_EQ(drbg.Seed(empty, {}).error(), Status::kEntropyFailure);
  EXPECT_EQ(drbg.Generate(out).error(), Status::kBadState);
}

TEST(Drbg, AFailedSecondFirstSeedMakesItUnusable) {
  FixedEntropy source(Pattern(Drbg::kSeedSize, 2));
  Drbg drbg;
  ASSERT_TRUE(drbg.Seed(source, {}).ok());
  EXPECT_EQ(drbg.Seed(source, {}).error(), Status::kEntropyFailure);
  std::array<std::byte, 4> out{};
  EXPECT_EQ(drbg.Generate(out).error(), Status::kBadState);
}

TEST(Drbg, AFailedReseedKeepsTheOldState) {
  FixedEntropy source(Pattern(Drbg::kSeedSize, 3));
  FixedEntropy same(Pattern(Drbg::kSeedSize, 3));
  Drbg drbg;
  Drbg undisturbed;
  ASSERT_TRUE(drbg.Seed(source, {}).ok());
  ASSERT_TRUE(undisturbed.Seed(same, {}).ok());
  EXPECT_EQ(drbg.Reseed(BytesOf("x")).error(), Status::kEntropyFailure);
  std::array<std::byte, 32> a;
  std::array<std::byte, 32> b;
  ASSERT_TRUE(drbg.Generate(a).ok());
  ASSERT_TRUE(undisturbed.Generate(b).ok());
  EXPECT_EQ(a, b);
}

TEST(Drbg, TakesAFreshSeedWhenDueAndStopsWithoutOne) {
  FixedEntropy source(Pattern(Drbg::kSeedSize + Drbg::kReseedSize, 4));
  Drbg drbg;
  ASSERT_TRUE(drbg.Seed(source, {}).ok());
  std::array<std::byte, 8> out;
  for (uint32_t i = 0; i < Drbg::kReseedInterval; ++i) {
    ASSERT_TRUE(drbg.Generate(out).ok());
  }
  EXPECT_EQ(source.used(), Drbg::kSeedSize);
  for (uint32_t i = 0; i < Drbg::kReseedInterval; ++i) {
    ASSERT_TRUE(drbg.Generate(out).ok());
  }
  EXPECT_EQ(source.used(), Drbg::kSeedSize + Drbg::kReseedSize);
  out.fill(std::byte{0xa5});
  EXPECT_EQ(drbg.Generate(out).error(), Status::kEntropyFailure);
  for (std::byte byte : out) {
    EXPECT_EQ(byte, std::byte{0});
  }
}

TEST(Drbg, LargeRequestsAreSplit) {
  FixedEntropy source(Pattern(Drbg::kSeedSize, 5));
  FixedEntropy same(Pattern(Drbg::kSeedSize, 5));
  Drbg one;
  Drbg two;
  ASSERT_TRUE(one.Seed(source, {}).ok());
  ASSERT_TRUE(two.Seed(same, {}).ok());
  Bytes whole(2 * Drbg::kMaxRequestSize + 5);
  ASSERT_TRUE(one.Generate(whole).ok());
  Bytes parts(whole.size());
  const std::span<std::byte> rest(parts);
  ASSERT_TRUE(two.Generate(rest.first(Drbg::kMaxRequestSize)).ok());
  ASSERT_TRUE(two.Generate(rest.subspan(Drbg::kMaxRequestSize, Drbg::kMaxRequestSize)).ok());
  ASSERT_TRUE(two.Generate(rest.subspan(2 * Drbg::kMaxRequestSize)).ok());
  EXPECT_EQ(whole, parts);
}

TEST(Drbg, PersonalizationSeparates) {
  std::set<std::string> seen;
  for (const char* personalization : {"", "a", "b", "ab"}) {
    FixedEntropy source(Pattern(Drbg::kSeedSize, 6));
    Drbg drbg;
    ASSERT_TRUE(drbg.Seed(source, BytesOf(std::string_view(personalization))).ok());
    std::array<std::byte, 16> out;
    ASSERT_TRUE(drbg.Generate(out).ok());
    EXPECT_TRUE(seen.insert(ToHex(out)).second);
  }
}

}  // namespace
}  // namespace nsgx
