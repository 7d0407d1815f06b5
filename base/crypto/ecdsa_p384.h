// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "base/crypto/drbg.h"
#include "base/crypto/sha512.h"

namespace nsgx {

// ECDSA on the curve P-384 with SHA-384 (FIPS 186-4). Numbers are big-endian. Objects hold plain
// bytes; what the computation needs besides is taken and given back within each call (see
// mbedtls_heap.h).

inline constexpr size_t kP384ScalarSize = 48;

// R, then S.
using EcdsaP384Signature = std::array<std::byte, 2 * kP384ScalarSize>;

class EcdsaP384PublicKey {
 public:
  static constexpr size_t kRawSize = 2 * kP384ScalarSize;
  static constexpr size_t kDerSize = 120;
  using Raw = std::array<std::byte, kRawSize>;
  using Der = std::array<std::byte, kDerSize>;

  // Makes a key of X, then Y.
  //
  // Errors: kMalformed  that is no point of the curve.
  //         kNoMemory   see mbedtls_heap.h.
  static Result<EcdsaP384PublicKey> FromRaw(std::span<const std::byte, kRawSize> raw);

  // Makes a key of a SubjectPublicKeyInfo in DER, as certificates hold it, with an uncompressed
  // point. Errors: as FromRaw; kMalformed also for every other form.
  static Result<EcdsaP384PublicKey> FromDer(std::span<const std::byte> der);

  const Raw& raw() const { return raw_; }
  Der ToDer() const;

  // Checks that `signature` was made over a message with SHA-384 `digest` by this key's owner.
  //
  // Errors: kBadSignature  it was not.
  //         kNoMemory      see mbedtls_heap.h.
  // Trust:  signature and digest may be anybody's.
  Result<void> Verify(const Sha384::Digest& digest, const EcdsaP384Signature& signature) const;

  friend bool operator==(const EcdsaP384PublicKey&, const EcdsaP384PublicKey&) = default;

 private:
  friend class EcdsaP384PrivateKey;
  explicit EcdsaP384PublicKey(const Raw& raw) : raw_(raw) {}

  Raw raw_;
};

// A private key; overwrites itself in the end. The Drbg that calls take blinds the computation,
// and decides about nothing that can be seen.
class EcdsaP384PrivateKey {
 public:
  // Eight bytes more than a scalar, so that reducing them favours none (FIPS 186-4, B.4.1).
  static constexpr size_t kSeedSize = kP384ScalarSize + 8;

  // Makes a new key.
  //
  // Errors: kEntropyFailure, kBadState  as Drbg::Generate.
  //         kNoMemory                   see mbedtls_heap.h.
  static Result<EcdsaP384PrivateKey> Generate(Drbg& drbg);

  // Makes the key that belongs to `seed`, always the same. Whoever knows the seed has the key.
  //
  // Errors: as Generate.
  static Result<EcdsaP384PrivateKey> Derive(std::span<const std::byte, kSeedSize> seed, Drbg& drbg);

  EcdsaP384PrivateKey(EcdsaP384PrivateKey&& other) noexcept;
  EcdsaP384PrivateKey(const EcdsaP384PrivateKey&) = delete;
  EcdsaP384PrivateKey& operator=(const EcdsaP384PrivateKey&) = delete;
  ~EcdsaP384PrivateKey();

  const EcdsaP384PublicKey& public_key() const { return public_key_; }

  // Signs the message with SHA-384 `digest`. The nonce follows from key and digest (RFC 6979), so
  // that a bad random source cannot give the key away.
  //
  // Errors: as Generate.
  Result<EcdsaP384Signature> Sign(const Sha384::Digest& digest, Drbg& drbg) const;

 private:
  using Scalar = std::array<std::byte, kP384ScalarSize>;

  EcdsaP384PrivateKey(const Scalar& scalar, const EcdsaP384PublicKey& public_key);

  Scalar scalar_;
  EcdsaP384PublicKey public_key_;
};

}  // namespace nsgx
