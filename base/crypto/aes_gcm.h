// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"

namespace nsgx {

namespace internal {

// What is made of a key.
struct alignas(16) AesGcmKeys {
  std::byte round[15][16];  // of AES
  std::byte hash[8][16];    // H^1 to H^8, in the form that aes_gcm_ni.cc multiplies by
};

}  // namespace internal

// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags. No heap.
//
// Runs on AES-NI and PCLMULQDQ only, and so in a time that does not depend on key or data. There
// is no table-driven form for processors without them: its memory accesses would show the key to
// whoever shares the cache, and every processor with SNP has the instructions.
//
// Vector registers are zero afterwards; see sha256.h for what that asks of a world.
class AesGcm256 {
 public:
  static constexpr size_t kKeySize = 32;
  static constexpr size_t kNonceSize = 12;
  static constexpr size_t kTagSize = 16;
  // The counter is 32 bits wide and two of its values are taken.
  static constexpr uint64_t kMaxTextSize = ((uint64_t{1} << 32) - 2) * 16;
  using Tag = std::array<std::byte, kTagSize>;

  // Prepares for work under `key`, of which no copy but the expanded one is kept.
  //
  // Errors: kUnsupported  the processor has no AES-NI.
  static Result<AesGcm256> Make(std::span<const std::byte, kKeySize> key);

  AesGcm256(AesGcm256&& other) noexcept;
  AesGcm256(const AesGcm256&) = delete;
  AesGcm256& operator=(const AesGcm256&) = delete;
  // Overwrites the expanded key.
  ~AesGcm256();

  // Encrypts `plaintext` into `ciphertext`, which may be the same memory but not overlap
  // otherwise, and returns the tag over it and `additional`.
  //
  // A nonce must never be used twice under one key: that gives both plaintexts and the power to
  // forge away.
  //
  // Errors: kInvalidArgument  the two texts differ in size.
  //         kOutOfRange       the text is larger than kMaxTextSize.
  Result<Tag> Seal(std::span<const std::byte, kNonceSize> nonce,
                   std::span<const std::byte> additional, std::span<const std::byte> plaintext,
                   std::span<std::byte> ciphertext) const;

  // Checks `tag` and, only if it is right, decrypts `ciphertext` into `plaintext` (same memory or
  // no overlap).
  //
  // Errors: kBadTag           ciphertext, additional data, nonce, tag or key is not what was
  // sealed;
  //                           `plaintext` is unchanged.
  //         kInvalidArgument, kOutOfRange  as Seal.
  // Trust:  the input may be anybody's. It must not change while this runs: copy it in first.
  Result<void> Open(std::span<const std::byte, kNonceSize> nonce,
                    std::span<const std::byte> additional, std::span<const std::byte> ciphertext,
                    std::span<const std::byte, kTagSize> tag, std::span<std::byte> plaintext) const;

 private:
  AesGcm256() = default;

  internal::AesGcmKeys keys_;
};

}  // namespace nsgx
