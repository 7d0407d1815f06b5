// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/sha256.h"

#include <gtest/gtest.h>
#include <mbedtls/sha256.h>

#include <string>
#include <vector>

#include "base/core/bytes.h"
#include "base/crypto/sha256_compress.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::Bytes;
using testing_support::MutableRaw;
using testing_support::Pattern;
using testing_support::Raw;
using testing_support::ToHex;

Sha256::Digest Oracle(std::span<const std::byte> data) {
  Sha256::Digest digest;
  EXPECT_EQ(mbedtls_sha256(Raw(data), data.size(), MutableRaw(digest), 0), 0);
  return digest;
}

// Every test runs on every path that this processor has.
class Sha256Test : public testing::TestWithParam<Sha256Path> {
 protected:
  void SetUp() override {
    if (!Sha256PathSupported(GetParam())) {
      GTEST_SKIP() << "this processor has no SHA extensions";
    }
    Sha256UsePath(GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Paths, Sha256Test,
                         testing::Values(Sha256Path::kPortable, Sha256Path::kShaNi),
                         [](const auto& info) {
                           return info.param == Sha256Path::kPortable ? "Portable" : "ShaNi";
                         });

// Examples of FIPS 180-4 and NIST's "SHA-256 examples".
TEST_P(Sha256Test, StandardExamples) {
  EXPECT_EQ(ToHex(Sha256::Hash({})),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ToHex(Sha256::Hash(BytesOf("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      ToHex(Sha256::Hash(BytesOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(ToHex(Sha256::Hash(BytesOf(std::string(1000000, 'a')))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_P(Sha256Test, EverySizeAgreesWithMbedtls) {
  for (size_t size = 0; size <= 300; ++size) {
    // Exactly sized on the heap: the sanitizer sees a read behind the end.
    const Bytes data = Pattern(size, static_cast<unsigned>(size));
    EXPECT_EQ(Sha256::Hash(data), Oracle(data)) << size;
  }
  const Bytes large = Pattern(1234567, 1);
  EXPECT_EQ(Sha256::Hash(large), Oracle(large));
}

TEST_P(Sha256Test, AnySplitGivesTheSame) {
  const Bytes data = Pattern(200, 2);
  const Sha256::Digest expected = Oracle(data);
  for (size_t first = 0; first <= data.size(); ++first) {
    for (size_t second = first; second <= data.size(); second += 7) {
      Sha256 hash;
      const std::span<const std::byte> all(data);
      hash.Update(all.first(first));
      hash.Update(all.subspan(first, second - first));
      hash.Update(all.subspan(second));
      ASSERT_EQ(hash.Finish(), expected) << first << " " << second;
    }
  }
}

TEST_P(Sha256Test, ACopyGoesItsOwnWay) {
  Sha256 hash;
  hash.Update(BytesOf("ab"));
  Sha256 copy = hash;
  hash.Update(BytesOf("c"));
  EXPECT_EQ(hash.Finish(), Sha256::Hash(BytesOf("abc")));
  EXPECT_EQ(copy.Finish(), Sha256::Hash(BytesOf("ab")));
}

TEST_P(Sha256Test, AfterFinishItIsAsNew) {
  Sha256 hash;
  hash.Update(Pattern(100, 3));
  static_cast<void>(hash.Finish());
  EXPECT_EQ(hash.Finish(), Sha256::Hash({}));
}

TEST_P(Sha256Test, Pages) {
  for (size_t count = 0; count <= 5; ++count) {
    const Bytes pages = Pattern(count * kSha256PageSize, static_cast<unsigned>(count));
    std::vector<Sha256::Digest> digests(count);
    Sha256HashPages(pages, digests);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(digests[i], Oracle(std::span(pages).subspan(i * kSha256PageSize, kSha256PageSize)));
    }
  }
}

// The compression functions handed each other's blocks, at every alignment.
TEST(Sha256Compress, PathsAgreeBlockForBlock) {
  if (!Sha256PathSupported(Sha256Path::kShaNi)) {
    GTEST_SKIP() << "this processor has no SHA extensions";
  }
  const Bytes data = Pattern(16 * 64 + 16, 4);
  for (size_t offset = 0; offset < 16; ++offset) {
    for (size_t blocks = 0; blocks <= 8; ++blocks) {
      internal::Sha256State start;
      for (size_t i = 0; i < start.size(); ++i) {
        start[i] = static_cast<uint32_t>(0x9e3779b9 * (i + offset + 1));
      }
      internal::Sha256State portable = start;
      internal::Sha256State one = start;
      internal::Sha256State first = start;
      internal::Sha256State second = start;
      internal::Sha256State other = start;
      const std::byte* a = data.data() + offset;
      const std::byte* b = a + size_t{8} * 64;
      internal::Sha256CompressPortable(portable, a, blocks);
      internal::Sha256CompressPortable(other, b, blocks);
      internal::Sha256CompressShaNi(one, a, blocks);
      internal::Sha256CompressShaNiTwo(first, a, second, b, blocks);
      ASSERT_EQ(one, portable);
      ASSERT_EQ(first, portable);
      ASSERT_EQ(second, other);
    }
  }
}

TEST(Sha256Compress, NothingStaysInVectorRegisters) {
  if (!Sha256PathSupported(Sha256Path::kShaNi)) {
    GTEST_SKIP() << "this processor has no SHA extensions";
  }
  const Bytes data = Pattern(128, 5);
  internal::Sha256State state{};
  alignas(16) std::array<std::byte, 256> registers;
  auto read_registers = [&]() __attribute__((always_inline)) {
    asm volatile(
        "movdqu %%xmm0, 0(%0)\n\tmovdqu %%xmm1, 16(%0)\n\tmovdqu %%xmm2, 32(%0)\n\t"
        "movdqu %%xmm3, 48(%0)\n\tmovdqu %%xmm4, 64(%0)\n\tmovdqu %%xmm5, 80(%0)\n\t"
        "movdqu %%xmm6, 96(%0)\n\tmovdqu %%xmm7, 112(%0)\n\tmovdqu %%xmm8, 128(%0)\n\t"
        "movdqu %%xmm9, 144(%0)\n\tmovdqu %%xmm10, 160(%0)\n\tmovdqu %%xmm11, 176(%0)\n\t"
        "movdqu %%xmm12, 192(%0)\n\tmovdqu %%xmm13, 208(%0)\n\tmovdqu %%xmm14, 224(%0)\n\t"
        "movdqu %%xmm15, 240(%0)"
        :
        : "r"(registers.data())
        : "memory");
  };
  internal::Sha256CompressShaNi(state, data.data(), 2);
  read_registers();
  EXPECT_EQ(ToHex(registers), std::string(512, '0'));
}

}  // namespace
}  // namespace nsgx
