// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/sha512.h"

#include <gtest/gtest.h>
#include <mbedtls/sha512.h>

#include <string>

#include "base/core/bytes.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::Bytes;
using testing_support::MutableRaw;
using testing_support::Pattern;
using testing_support::Raw;
using testing_support::ToHex;

template <typename Hash>
class Sha512Test : public testing::Test {};
using Both = testing::Types<Sha384, Sha512>;
TYPED_TEST_SUITE(Sha512Test, Both);

template <typename Hash>
typename Hash::Digest Oracle(std::span<const std::byte> data) {
  std::array<std::byte, 64> digest;
  EXPECT_EQ(mbedtls_sha512(Raw(data), data.size(), MutableRaw(digest),
                           sizeof(typename Hash::Digest) == 48 ? 1 : 0),
            0);
  typename Hash::Digest result;
  std::copy_n(digest.begin(), result.size(), result.begin());
  return result;
}

// NIST's "SHA-384 examples" and "SHA-512 examples".
TEST(Sha512, StandardExamples) {
  EXPECT_EQ(ToHex(Sha512::Hash(BytesOf("abc"))),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(ToHex(Sha384::Hash(BytesOf("abc"))),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  constexpr std::string_view kTwoBlocks =
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
      "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
  EXPECT_EQ(ToHex(Sha512::Hash(BytesOf(kTwoBlocks))),
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
            "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
  EXPECT_EQ(ToHex(Sha384::Hash(BytesOf(kTwoBlocks))),
            "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
            "fcc7c71a557e2db966c3e9fa91746039");
}

TYPED_TEST(Sha512Test, EverySizeAgreesWithMbedtls) {
  for (size_t size = 0; size <= 400; ++size) {
    const Bytes data = Pattern(size, static_cast<unsigned>(size));
    EXPECT_EQ(TypeParam::Hash(data), Oracle<TypeParam>(data)) << size;
  }
}

TYPED_TEST(Sha512Test, AnySplitGivesTheSame) {
  const Bytes data = Pattern(300, 1);
  const std::span<const std::byte> all(data);
  for (size_t first = 0; first <= data.size(); ++first) {
    TypeParam hash;
    hash.Update(all.first(first));
    TypeParam copy = hash;
    hash.Update(all.subspan(first));
    ASSERT_EQ(hash.Finish(), Oracle<TypeParam>(data)) << first;
    ASSERT_EQ(copy.Finish(), Oracle<TypeParam>(all.first(first))) << first;
    ASSERT_EQ(hash.Finish(), Oracle<TypeParam>({}));
  }
}

}  // namespace
}  // namespace nsgx
