// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "base/crypto/drbg.h"
#include "base/crypto/rsa_pss.h"
#include "base/crypto/sha256.h"

namespace nsgx {

// The private half of RSA-3072-PSS, for tools that sign: not for worlds without a libc. An object
// overwrites itself in the end.
class RsaPrivateKey {
 public:
  // Enough for what ToPem writes.
  static constexpr size_t kMaxPemSize = 4096;

  // Makes a new key; takes about a second.
  //
  // Errors: kEntropyFailure  `drbg` has failed.
  //         kNoMemory        the heap is full.
  static Result<RsaPrivateKey> Generate(Drbg& drbg);

  // Makes a key of a PEM file: PKCS#1 or PKCS#8, not encrypted.
  //
  // Errors: kMalformed    it is not one, or its parts contradict each other.
  //         kUnsupported  it is a key, but not RSA with 3072 bits and the exponent 65537.
  //         kNoMemory     the heap is full.
  static Result<RsaPrivateKey> FromPem(std::string_view pem);

  RsaPrivateKey(RsaPrivateKey&& other) noexcept;
  RsaPrivateKey(const RsaPrivateKey&) = delete;
  RsaPrivateKey& operator=(const RsaPrivateKey&) = delete;
  ~RsaPrivateKey();

  const RsaModulus& modulus() const { return modulus_; }

  // Writes the key in PEM (PKCS#1) to the front of `buffer` and returns it.
  //
  // Errors: kOutOfRange  the buffer is smaller than kMaxPemSize.
  //         kNoMemory    the heap is full.
  Result<std::string_view> ToPem(std::span<char> buffer) const;

  // Signs the message with SHA-256 `digest`. `drbg` gives the salt and blinds the computation.
  //
  // Errors: as Generate.
  Result<RsaSignature> Sign(const Sha256::Digest& digest, Drbg& drbg) const;

 private:
  using Prime = std::array<std::byte, kRsaSize / 2>;

  RsaPrivateKey() = default;

  RsaModulus modulus_;
  Prime p_;
  Prime q_;
};

}  // namespace nsgx
