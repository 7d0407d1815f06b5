// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/aes_gcm.h"

#include <gtest/gtest.h>
#include <mbedtls/gcm.h>

#include <array>
#include <string>

#include "base/core/bytes.h"
#include "base/crypto/cpu.h"
#include "base/crypto/test_support.h"

namespace nsgx {
namespace {

using testing_support::Bytes;
using testing_support::FromHex;
using testing_support::MutableRaw;
using testing_support::Pattern;
using testing_support::Raw;
using testing_support::ToHex;

using Key = std::array<std::byte, AesGcm256::kKeySize>;
using Nonce = std::array<std::byte, AesGcm256::kNonceSize>;

template <typename Array>
Array MakeArray(std::span<const std::byte> bytes) {
  Array array;
  EXPECT_EQ(bytes.size(), array.size());
  std::copy_n(bytes.begin(), array.size(), array.begin());
  return array;
}

class AesGcm : public testing::Test {
 protected:
  void SetUp() override {
    if (!DetectCpuFeatures().aes_ni) {
      GTEST_SKIP() << "this processor has no AES-NI";
    }
  }
};

struct Example {
  const char* key;
  const char* nonce;
  const char* additional;
  const char* plaintext;
  const char* ciphertext;
  const char* tag;
};

// "The Galois/Counter Mode of Operation" (McGrew, Viega), test cases 13 to 16.
constexpr Example kExamples[] = {
    {.key = "0000000000000000000000000000000000000000000000000000000000000000",
     .nonce = "000000000000000000000000",
     .additional = "",
     .plaintext = "",
     .ciphertext = "",
     .tag = "530f8afbc74536b9a963b4f1c4cb738b"},
    {.key = "0000000000000000000000000000000000000000000000000000000000000000",
     .nonce = "000000000000000000000000",
     .additional = "",
     .plaintext = "00000000000000000000000000000000",
     .ciphertext = "cea7403d4d606b6e074ec5d3baf39d18",
     .tag = "d0d1c8a799996bf0265b98b5d48ab919"},
    {.key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     .nonce = "cafebabefacedbaddecaf888",
     .additional = "",
     .plaintext = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     .ciphertext = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                   "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     .tag = "b094dac5d93471bdec1a502270e3cc6c"},
    {.key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     .nonce = "cafebabefacedbaddecaf888",
     .additional = "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     .plaintext = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     .ciphertext = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                   "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     .tag = "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST_F(AesGcm, StandardExamples) {
  for (const Example& example : kExamples) {
    const AesGcm256 gcm = AesGcm256::Make(MakeArray<Key>(FromHex(example.key))).value();
    const Nonce nonce = MakeArray<Nonce>(FromHex(example.nonce));
    const Bytes additional = FromHex(example.additional);
    const Bytes plaintext = FromHex(example.plaintext);
    Bytes ciphertext(plaintext.size());
    const AesGcm256::Tag tag = gcm.Seal(nonce, additional, plaintext, ciphertext).value();
    EXPECT_EQ(ToHex(ciphertext), example.ciphertext);
    EXPECT_EQ(ToHex(tag), example.tag);
    Bytes opened(ciphertext.size());
    ASSERT_TRUE(gcm.Open(nonce, additional, ciphertext, tag, opened).ok());
    EXPECT_EQ(opened, plaintext);
  }
}

// Every size around the block, the eight blocks in flight and the piece.
TEST_F(AesGcm, EverySizeAgreesWithMbedtls) {
  const Key key = MakeArray<Key>(Pattern(32, 1));
  const AesGcm256 gcm = AesGcm256::Make(key).value();
  mbedtls_gcm_context oracle;
  mbedtls_gcm_init(&oracle);
  ASSERT_EQ(mbedtls_gcm_setkey(&oracle, MBEDTLS_CIPHER_ID_AES, Raw(key), 256), 0);
  auto compare = [&](size_t text_size, size_t additional_size) {
    const unsigned seed = static_cast<unsigned>(text_size * 1000 + additional_size);
    const Nonce nonce = MakeArray<Nonce>(Pattern(12, seed));
    const Bytes plaintext = Pattern(text_size, seed + 1);
    const Bytes additional = Pattern(additional_size, seed + 2);
    Bytes ciphertext(text_size);
    const AesGcm256::Tag tag = gcm.Seal(nonce, additional, plaintext, ciphertext).value();
    Bytes expected(text_size);
    AesGcm256::Tag expected_tag;
    ASSERT_EQ(mbedtls_gcm_crypt_and_tag(&oracle, MBEDTLS_GCM_ENCRYPT, text_size, Raw(nonce),
                                        nonce.size(), Raw(additional), additional.size(),
                                        Raw(plaintext), MutableRaw(expected), expected_tag.size(),
                                        MutableRaw(expected_tag)),
              0);
    ASSERT_EQ(ciphertext, expected) << text_size << " " << additional_size;
    ASSERT_EQ(tag, expected_tag) << text_size << " " << additional_size;
    Bytes in_place = ciphertext;
    ASSERT_TRUE(gcm.Open(nonce, additional, in_place, tag, in_place).ok());
    ASSERT_EQ(in_place, plaintext);
    ASSERT_EQ(gcm.Seal(nonce, additional, in_place, in_place).value(), tag);
    ASSERT_EQ(in_place, ciphertext);
  };
  for (size_t size = 0; size <= 300; ++size) {
    compare(size, 0);
    compare(33, size);
  }
  for (size_t size : {4095u, 4096u, 4097u, 8192u, 100003u}) {
    compare(size, 20);
  }
  mbedtls_gcm_free(&oracle);
}

// The 32-bit counter goes up through all its bytes.
TEST_F(AesGcm, CounterCarries) {
  const Key key = MakeArray<Key>(Pattern(32, 2));
  const AesGcm256 gcm = AesGcm256::Make(key).value();
  const Nonce nonce = MakeArray<Nonce>(Pattern(12, 3));
  const Bytes zeros(size_t{16} * 66000);
  Bytes stream(zeros.size());
  static_cast<void>(gcm.Seal(nonce, {}, zeros, stream).value());
  mbedtls_gcm_context oracle;
  mbedtls_gcm_init(&oracle);
  ASSERT_EQ(mbedtls_gcm_setkey(&oracle, MBEDTLS_CIPHER_ID_AES, Raw(key), 256), 0);
  Bytes expected(zeros.size());
  AesGcm256::Tag tag;
  ASSERT_EQ(mbedtls_gcm_crypt_and_tag(&oracle, MBEDTLS_GCM_ENCRYPT, zeros.size(), Raw(nonce),
                                      nonce.size(), nullptr, 0, Raw(zeros), MutableRaw(expected),
                                      tag.size(), MutableRaw(tag)),
            0);
  mbedtls_gcm_free(&oracle);
  EXPECT_TRUE(stream == expected);
}

TEST_F(AesGcm, AnyChangedBitIsNoticedAndNothingIsWritten) {
  const AesGcm256 gcm = AesGcm256::Make(MakeArray<Key>(Pattern(32, 4))).value();
  const Nonce nonce = MakeArray<Nonce>(Pattern(12, 5));
  const Bytes additional = Pattern(20, 6);
  Bytes ciphertext = Pattern(50, 7);
  const AesGcm256::Tag tag = gcm.Seal(nonce, additional, ciphertext, ciphertext).value();

  const Bytes untouched(ciphertext.size(), std::byte{0xee});
  auto expect_refused = [&](const Nonce& n, const Bytes& a, const Bytes& c,
                            const AesGcm256::Tag& t) {
    Bytes plaintext(c.size(), std::byte{0xee});
    EXPECT_EQ(gcm.Open(n, a, c, t, plaintext).error(), Status::kBadTag);
    EXPECT_EQ(plaintext, Bytes(c.size(), std::byte{0xee}));
  };
  auto flip = [](auto bytes, size_t bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    return bytes;
  };
  for (size_t bit = 0; bit < nonce.size() * 8; ++bit) {
    expect_refused(flip(nonce, bit), additional, ciphertext, tag);
  }
  for (size_t bit = 0; bit < additional.size() * 8; ++bit) {
    expect_refused(nonce, flip(additional, bit), ciphertext, tag);
  }
  for (size_t bit = 0; bit < ciphertext.size() * 8; ++bit) {
    expect_refused(nonce, additional, flip(ciphertext, bit), tag);
  }
  for (size_t bit = 0; bit < tag.size() * 8; ++bit) {
    expect_refused(nonce, additional, ciphertext, flip(tag, bit));
  }
  // A zero byte moved from one part to the other, or added, is a change as well.
  Bytes longer = ciphertext;
  longer.push_back(std::byte{0});
  expect_refused(nonce, additional, longer, tag);
  Bytes shorter = ciphertext;
  shorter.pop_back();
  expect_refused(nonce, additional, shorter, tag);
  Bytes more_additional = additional;
  more_additional.push_back(std::byte{0});
  expect_refused(nonce, more_additional, ciphertext, tag);
  EXPECT_EQ(AesGcm256::Make(MakeArray<Key>(Pattern(32, 8)))
                .value()
                .Open(nonce, additional, ciphertext, tag, longer = untouched)
                .error(),
            Status::kBadTag);
}

TEST_F(AesGcm, SizesMustMatch) {
  const AesGcm256 gcm = AesGcm256::Make(Key{}).value();
  Bytes text(10);
  EXPECT_EQ(gcm.Seal(Nonce{}, {}, text, std::span(text).first(9)).error(),
            Status::kInvalidArgument);
  EXPECT_EQ(gcm.Open(Nonce{}, {}, text, AesGcm256::Tag{}, std::span(text).first(9)).error(),
            Status::kInvalidArgument);
  // Nothing of such a text is touched before it is refused.
  const std::span<std::byte> huge(text.data(), AesGcm256::kMaxTextSize + 1);
  EXPECT_EQ(gcm.Seal(Nonce{}, {}, huge, huge).error(), Status::kOutOfRange);
  EXPECT_EQ(gcm.Open(Nonce{}, {}, huge, AesGcm256::Tag{}, huge).error(), Status::kOutOfRange);
}

TEST_F(AesGcm, MovedKeysWorkOn) {
  AesGcm256 first = AesGcm256::Make(MakeArray<Key>(Pattern(32, 9))).value();
  Bytes text = Pattern(20, 10);
  const AesGcm256::Tag tag = first.Seal(Nonce{}, {}, text, text).value();
  const AesGcm256 second = std::move(first);
  EXPECT_TRUE(second.Open(Nonce{}, {}, text, tag, text).ok());
  EXPECT_EQ(text, Pattern(20, 10));
}

}  // namespace
}  // namespace nsgx
