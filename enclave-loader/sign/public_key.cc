// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/public_key.h"

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <array>

#include "base/core/check.h"

namespace nsgx::loader {
namespace {

constexpr std::array<unsigned char, 4> kExponent = {0, 1, 0, 1};

// A key in mbedTLS's form.
class Key {
 public:
  Key() { mbedtls_pk_init(&pk_); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { mbedtls_pk_free(&pk_); }

  mbedtls_pk_context* pk() { return &pk_; }
  mbedtls_rsa_context* rsa() { return mbedtls_pk_rsa(pk_); }

 private:
  mbedtls_pk_context pk_;
};

}  // namespace

std::string PublicKeyPem(const RsaModulus& modulus) {
  Key key;
  CHECK(mbedtls_pk_setup(key.pk(), mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
  CHECK(mbedtls_rsa_import_raw(key.rsa(), reinterpret_cast<const unsigned char*>(modulus.data()),
                               modulus.size(), nullptr, 0, nullptr, 0, nullptr, 0, kExponent.data(),
                               kExponent.size()) == 0);
  CHECK(mbedtls_rsa_complete(key.rsa()) == 0);
  std::array<unsigned char, 4096> pem;
  CHECK(mbedtls_pk_write_pubkey_pem(key.pk(), pem.data(), pem.size()) == 0);
  return reinterpret_cast<const char*>(pem.data());
}

Result<Sha256::Digest, Complaint> SignerOfPublicKey(std::string_view pem) {
  Key key;
  const std::string text(pem);
  // mbedTLS counts the NUL behind the text.
  if (mbedtls_pk_parse_public_key(key.pk(), reinterpret_cast<const unsigned char*>(text.c_str()),
                                  text.size() + 1) != 0) {
    return Complain("is no public key in PEM; nsgx-sign keygen writes one");
  }
  RsaModulus modulus;
  std::array<unsigned char, 4> exponent;
  if (mbedtls_pk_get_type(key.pk()) != MBEDTLS_PK_RSA ||
      mbedtls_pk_get_bitlen(key.pk()) != 8 * kRsaSize ||
      mbedtls_rsa_export_raw(key.rsa(), reinterpret_cast<unsigned char*>(modulus.data()),
                             modulus.size(), nullptr, 0, nullptr, 0, nullptr, 0, exponent.data(),
                             exponent.size()) != 0 ||
      exponent != kExponent) {
    return Complain("is no RSA key of 3072 bits with exponent 65537; nsgx-sign keygen writes one");
  }
  return Sha256::Hash(modulus);
}

}  // namespace nsgx::loader
