// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/aes_gcm.h"

#include "base/crypto/aes_gcm_ni.h"
#include "base/crypto/constant_time.h"
#include "base/crypto/cpu.h"
#include "base/crypto/secure_zero.h"

namespace nsgx {
namespace {

// Block 1 is for the tag.
constexpr uint32_t kFirstTextCounter = 2;

// Encrypting and hashing take turns on pieces that stay in the first-level cache.
constexpr size_t kPieceSize = 4096;

Result<void> CheckSizes(size_t in_size, size_t out_size) {
  if (in_size != out_size) {
    return Error(Status::kInvalidArgument);
  }
  if (in_size > AesGcm256::kMaxTextSize) {
    return Error(Status::kOutOfRange);
  }
  return {};
}

}  // namespace

Result<AesGcm256> AesGcm256::Make(std::span<const std::byte, kKeySize> key) {
  if (!DetectCpuFeatures().aes_ni) {
    return Error(Status::kUnsupported);
  }
  AesGcm256 gcm;
  internal::AesGcmExpandKey(gcm.keys_, key.data());
  return gcm;
}

AesGcm256::AesGcm256(AesGcm256&& other) noexcept : keys_(other.keys_) {
  SecureZeroObject(other.keys_);
}

AesGcm256::~AesGcm256() { SecureZeroObject(keys_); }

Result<AesGcm256::Tag> AesGcm256::Seal(std::span<const std::byte, kNonceSize> nonce,
                                       std::span<const std::byte> additional,
                                       std::span<const std::byte> plaintext,
                                       std::span<std::byte> ciphertext) const {
  TRY(CheckSizes(plaintext.size(), ciphertext.size()));
  internal::GhashState hash{};
  internal::AesGcmHash(keys_, hash, additional.data(), additional.size());
  uint32_t counter = kFirstTextCounter;
  for (size_t done = 0; done < plaintext.size(); done += kPieceSize) {
    const size_t left = plaintext.size() - done;
    const size_t size = left < kPieceSize ? left : kPieceSize;
    internal::AesGcmCrypt(keys_, nonce.data(), counter, plaintext.data() + done,
                          ciphertext.data() + done, size);
    internal::AesGcmHash(keys_, hash, ciphertext.data() + done, size);
    counter += kPieceSize / 16;
  }
  Tag tag;
  internal::AesGcmFinish(keys_, hash, nonce.data(), additional.size(), plaintext.size(),
                         tag.data());
  return tag;
}

Result<void> AesGcm256::Open(std::span<const std::byte, kNonceSize> nonce,
                             std::span<const std::byte> additional,
                             std::span<const std::byte> ciphertext,
                             std::span<const std::byte, kTagSize> tag,
                             std::span<std::byte> plaintext) const {
  TRY(CheckSizes(ciphertext.size(), plaintext.size()));
  internal::GhashState hash{};
  internal::AesGcmHash(keys_, hash, additional.data(), additional.size());
  internal::AesGcmHash(keys_, hash, ciphertext.data(), ciphertext.size());
  Tag expected;
  internal::AesGcmFinish(keys_, hash, nonce.data(), additional.size(), ciphertext.size(),
                         expected.data());
  const bool is_right = EqualInConstantTime(expected, tag);
  // The tag of a forgery is as good as a key to it.
  SecureZeroObject(expected);
  if (!is_right) {
    return Error(Status::kBadTag);
  }
  internal::AesGcmCrypt(keys_, nonce.data(), kFirstTextCounter, ciphertext.data(), plaintext.data(),
                        ciphertext.size());
  return {};
}

}  // namespace nsgx
