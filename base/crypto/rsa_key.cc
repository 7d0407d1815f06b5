// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/rsa_key.h"

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <array>

#include "base/core/scope_exit.h"
#include "base/crypto/mbedtls_support.h"
#include "base/crypto/secure_zero.h"

namespace nsgx {
namespace {

using internal::FromMbedtls;
using internal::MutableRawBytes;
using internal::RandomForMbedtls;
using internal::RawBytes;

constexpr int kExponent = 65537;
constexpr std::array<std::byte, 3> kExponentBytes = {std::byte{1}, std::byte{0}, std::byte{1}};

// A key in mbedTLS's form.
class Key {
 public:
  Key() { mbedtls_pk_init(&pk_); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { mbedtls_pk_free(&pk_); }

  Result<void> SetUp() {
    TRY(FromMbedtls(mbedtls_pk_setup(&pk_, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)),
                    Status::kNoMemory));
    return FromMbedtls(mbedtls_rsa_set_padding(rsa(), MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256),
                       Status::kInternal);
  }

  mbedtls_pk_context* pk() { return &pk_; }
  mbedtls_rsa_context* rsa() { return mbedtls_pk_rsa(pk_); }

 private:
  mbedtls_pk_context pk_;
};

// Fills `key` from its primes, and so finds out whether they belong to `modulus`.
Result<void> Complete(Key& key, const RsaModulus& modulus, std::span<const std::byte> p,
                      std::span<const std::byte> q) {
  TRY(key.SetUp());
  TRY(FromMbedtls(mbedtls_rsa_import_raw(key.rsa(), RawBytes(modulus), modulus.size(), RawBytes(p),
                                         p.size(), RawBytes(q), q.size(), nullptr, 0,
                                         RawBytes(kExponentBytes), kExponentBytes.size()),
                  Status::kInternal));
  return FromMbedtls(mbedtls_rsa_complete(key.rsa()), Status::kInternal);
}

}  // namespace

RsaPrivateKey::RsaPrivateKey(RsaPrivateKey&& other) noexcept
    : modulus_(other.modulus_), p_(other.p_), q_(other.q_) {
  SecureZeroObject(other.p_);
  SecureZeroObject(other.q_);
}

RsaPrivateKey::~RsaPrivateKey() {
  SecureZeroObject(p_);
  SecureZeroObject(q_);
}

Result<RsaPrivateKey> RsaPrivateKey::Generate(Drbg& drbg) {
  Key key;
  TRY(key.SetUp());
  TRY(FromMbedtls(mbedtls_rsa_gen_key(key.rsa(), RandomForMbedtls, &drbg, 8 * kRsaSize, kExponent),
                  Status::kInternal));
  RsaPrivateKey result;
  TRY(FromMbedtls(
      mbedtls_rsa_export_raw(key.rsa(), MutableRawBytes(result.modulus_), kRsaSize,
                             MutableRawBytes(result.p_), result.p_.size(),
                             MutableRawBytes(result.q_), result.q_.size(), nullptr, 0, nullptr, 0),
      Status::kInternal));
  return result;
}

Result<RsaPrivateKey> RsaPrivateKey::FromPem(std::string_view pem) {
  // mbedTLS wants the NUL behind the text, and counts it.
  std::array<char, kMaxPemSize + 1> text{};
  if (pem.size() > kMaxPemSize) {
    return Error(Status::kMalformed);
  }
  ScopeExit wipe([&text] { SecureZeroObject(text); });
  __builtin_memcpy(text.data(), pem.data(), pem.size());
  Key key;
  TRY(FromMbedtls(mbedtls_pk_parse_key(key.pk(), RawBytes(std::as_bytes(std::span(text))),
                                       pem.size() + 1, nullptr, 0, nullptr, nullptr),
                  Status::kMalformed));
  if (mbedtls_pk_get_type(key.pk()) != MBEDTLS_PK_RSA ||
      mbedtls_rsa_get_bitlen(key.rsa()) != 8 * kRsaSize) {
    return Error(Status::kUnsupported);
  }
  TRY(FromMbedtls(mbedtls_rsa_check_privkey(key.rsa()), Status::kMalformed));
  RsaPrivateKey result;
  std::array<std::byte, kRsaSize> exponent;
  // Primes of different sizes do not fit, and nobody makes them.
  TRY(FromMbedtls(mbedtls_rsa_export_raw(key.rsa(), MutableRawBytes(result.modulus_), kRsaSize,
                                         MutableRawBytes(result.p_), result.p_.size(),
                                         MutableRawBytes(result.q_), result.q_.size(), nullptr, 0,
                                         MutableRawBytes(exponent), exponent.size()),
                  Status::kUnsupported));
  std::array<std::byte, kRsaSize> expected{};
  __builtin_memcpy(&expected[kRsaSize - kExponentBytes.size()], kExponentBytes.data(),
                   kExponentBytes.size());
  if (exponent != expected) {
    return Error(Status::kUnsupported);
  }
  return result;
}

Result<std::string_view> RsaPrivateKey::ToPem(std::span<char> buffer) const {
  if (buffer.size() < kMaxPemSize) {
    return Error(Status::kOutOfRange);
  }
  Key key;
  TRY(Complete(key, modulus_, p_, q_));
  TRY(FromMbedtls(mbedtls_pk_write_key_pem(
                      key.pk(), MutableRawBytes(std::as_writable_bytes(buffer)), buffer.size()),
                  Status::kInternal));
  return std::string_view(buffer.data());
}

Result<RsaSignature> RsaPrivateKey::Sign(const Sha256::Digest& digest, Drbg& drbg) const {
  Key key;
  TRY(Complete(key, modulus_, p_, q_));
  RsaSignature signature;
  TRY(FromMbedtls(
      mbedtls_rsa_rsassa_pss_sign_ext(key.rsa(), RandomForMbedtls, &drbg, MBEDTLS_MD_SHA256,
                                      static_cast<unsigned>(digest.size()), RawBytes(digest),
                                      static_cast<int>(kRsaSaltSize), MutableRawBytes(signature)),
      Status::kInternal));
  return signature;
}

}  // namespace nsgx
