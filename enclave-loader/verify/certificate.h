// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/core/result.h"
#include "base/crypto/ecdsa_p384.h"
#include "enclave-loader/verify/amd_extensions.h"
#include "enclave-loader/verify/bytes.h"

namespace nsgx::verify {

// An X.509 certificate that somebody gave us. Parsing believes nothing: who signed it is asked for
// one certificate at a time, because the path is always the same three and each step is a row of
// its own for the reader.
class Certificate {
 public:
  // Errors: kMalformed  not exactly one certificate in DER, or its AMD extensions are no good.
  static Result<Certificate> Parse(std::span<const std::byte> der);

  // The certificate's own DER; lives as long as this object.
  std::span<const std::byte> der() const;
  // The last common name, printable; empty if there is none.
  std::string Name() const;
  std::string IssuerName() const;
  bool is_self_issued() const;
  // Returns whether the issuer's name is that of `issuer`; says nothing about the signature.
  bool NamesAsIssuer(const Certificate& issuer) const;
  // Seconds since 1970.
  int64_t not_before() const;
  int64_t not_after() const;
  std::span<const std::byte> serial() const;
  // SHA-256 of the SubjectPublicKeyInfo: how roots are pinned.
  Sha256Digest PublicKeyHash() const;

  // Its basic constraints and key usage let it sign certificates.
  bool MaySignCertificates() const;
  // Its key is RSA of 4096 bits, as all of AMD's authorities have.
  bool HasRsa4096Key() const;
  // Its key, if that is one of P-384.
  std::optional<EcdsaP384PublicKey::Raw> EcKey() const;
  // Its signature claims the one algorithm that AMD uses: RSASSA-PSS, SHA-384, MGF1 with SHA-384,
  // 48 bytes of salt.
  bool ClaimsAmdSignature() const;
  // Its signature is one in that algorithm by the key of `issuer`.
  bool IsSignedBy(const Certificate& issuer) const;

  const AmdExtensions& amd() const { return amd_; }

 private:
  friend class RevocationList;
  struct Free {
    void operator()(mbedtls_x509_crt* certificate) const;
  };
  Certificate(std::unique_ptr<mbedtls_x509_crt, Free> parsed, AmdExtensions amd)
      : parsed_(std::move(parsed)), amd_(std::move(amd)) {}

  std::unique_ptr<mbedtls_x509_crt, Free> parsed_;
  AmdExtensions amd_;
};

// A certificate revocation list that somebody gave us.
class RevocationList {
 public:
  // Errors: kMalformed  not exactly one list in DER.
  static Result<RevocationList> Parse(std::span<const std::byte> der);

  bool NamesAsIssuer(const Certificate& issuer) const;
  bool IsSignedBy(const Certificate& issuer) const;
  int64_t this_update() const;
  int64_t next_update() const;
  bool Revokes(const Certificate& certificate) const;

 private:
  struct Free {
    void operator()(mbedtls_x509_crl* list) const;
  };
  explicit RevocationList(std::unique_ptr<mbedtls_x509_crl, Free> parsed)
      : parsed_(std::move(parsed)) {}

  std::unique_ptr<mbedtls_x509_crl, Free> parsed_;
};

// Splits `file` into certificates in DER: PEM with any number of them, or DER with one.
//
// Errors: kMalformed  none is in it, or PEM that is broken.
Result<std::vector<Bytes>> SplitCertificates(std::span<const std::byte> file);

}  // namespace nsgx::verify
