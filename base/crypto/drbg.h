// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/crypto/entropy.h"
#include "base/crypto/sha256.h"

namespace nsgx {

// A deterministic random bit generator: HMAC_DRBG with SHA-256 (NIST SP 800-90A, 10.1.2).
//
// Made as a constant, usable once seeded. It is never copied, because two copies would give the
// same bytes. Not locked. Without a heap; nothing in it reveals earlier output (backtracking
// resistance), and it takes a fresh seed by itself every so often.
class Drbg {
 public:
  // What is taken from the source: entropy for a security strength of 256 bits, and the first time
  // a nonce of half as much.
  static constexpr size_t kSeedSize = 48;
  static constexpr size_t kReseedSize = 32;
  // Requests between two seeds. The standard allows 2^48; fresh seeds are cheap enough.
  static constexpr uint32_t kReseedInterval = 1024;
  // Bytes that come out of one request; larger calls count as several requests.
  static constexpr size_t kMaxRequestSize = 65536;

  constexpr Drbg() = default;
  Drbg(const Drbg&) = delete;
  Drbg& operator=(const Drbg&) = delete;
  ~Drbg();

  // Takes a first seed from `source`, which must live as long as the generator and is asked again
  // for each later seed. `personalization` keeps apart generators that share a source; it need not
  // be secret.
  //
  // Errors: kEntropyFailure  the source has failed; the generator stays or becomes unusable.
  Result<void> Seed(EntropySource& source, std::span<const std::byte> personalization);

  // Takes a fresh seed now, with `additional` mixed in.
  //
  // Errors: kBadState        not seeded yet.
  //         kEntropyFailure  the source has failed; the old state stays.
  Result<void> Reseed(std::span<const std::byte> additional);

  // Fills `out` with random bytes.
  //
  // Errors: kBadState        not seeded yet; `out` is unchanged.
  //         kEntropyFailure  a fresh seed is due and the source has failed; `out` is zero.
  Result<void> Generate(std::span<std::byte> out);

 private:
  void Update(std::span<const std::byte> first, std::span<const std::byte> second);

  EntropySource* source_ = nullptr;
  uint32_t requests_since_seed_ = 0;
  std::array<std::byte, Sha256::kDigestSize> key_ = {};
  std::array<std::byte, Sha256::kDigestSize> value_ = {};
};

}  // namespace nsgx
