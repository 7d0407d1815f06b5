// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/certificate.h"

#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/crypto/sha256.h"
#include "base/crypto/sha512.h"
#include "enclave-loader/verify/der_reader.h"

namespace nsgx::verify {

namespace {

// AlgorithmIdentifier of RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt. DER has
// one form of it, but the default trailer field (the last five bytes) is spelt out by AMD and left
// out by others.
constexpr uint8_t kPssSha384[] = {
    0x30, 0x46, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x39,
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
    0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
    0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x30, 0xa3, 0x03, 0x02, 0x01, 0x01,
};
constexpr size_t kTrailerSize = 5;
constexpr int kSaltSize = 48;

bool IsPssSha384(std::span<const std::byte> algorithm) {
  const std::span<const std::byte> spelt_out = View(kPssSha384);
  if (std::ranges::equal(algorithm, spelt_out)) {
    return true;
  }
  // Both sequences around the trailer are shorter without it.
  uint8_t short_form[sizeof(kPssSha384) - kTrailerSize];
  std::copy_n(kPssSha384, sizeof(short_form), short_form);
  short_form[1] -= kTrailerSize;
  short_form[14] -= kTrailerSize;
  return std::ranges::equal(algorithm, View(short_form));
}

// A certificate and a revocation list have the same outside: what is signed, how, and the
// signature.
struct SignedParts {
  std::span<const std::byte> contents;
  std::span<const std::byte> algorithm;
  std::span<const std::byte> signature;
};

Result<SignedParts> SplitSigned(std::span<const std::byte> der) {
  DerReader outer(der);
  DerReader parts(TRY(outer.Read(tag::kSequence)));
  SignedParts out;
  out.contents = TRY(parts.ReadWhole(tag::kSequence));
  out.algorithm = TRY(parts.ReadWhole(tag::kSequence));
  out.signature = TRY(parts.Read(tag::kBitString));
  // A bit string begins with the number of unused bits.
  if (!parts.at_end() || !outer.at_end() || out.signature.empty() ||
      out.signature[0] != std::byte{0}) {
    return Error(Status::kMalformed);
  }
  out.signature = out.signature.subspan(1);
  return out;
}

bool SignatureHolds(std::span<const std::byte> der, const mbedtls_pk_context& issuer_key) {
  const Result<SignedParts> parts = SplitSigned(der);
  if (!parts.ok() || !IsPssSha384(parts.value().algorithm) ||
      !mbedtls_pk_can_do(&issuer_key, MBEDTLS_PK_RSA)) {
    return false;
  }
  const std::span<const std::byte> signature = parts.value().signature;
  const Sha384::Digest hash = Sha384::Hash(parts.value().contents);
  mbedtls_pk_rsassa_pss_options options = {MBEDTLS_MD_SHA384, kSaltSize};
  // mbedTLS takes the key through a pointer to non-const, but only reads it.
  auto* key = const_cast<mbedtls_pk_context*>(&issuer_key);
  return mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &options, key, MBEDTLS_MD_SHA384, Raw(hash),
                               hash.size(), Raw(signature), signature.size()) == 0;
}

std::span<const std::byte> View(const mbedtls_x509_buf& buffer) {
  return verify::View(buffer.p, buffer.len);
}

int64_t Seconds(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  const sys_days day = year{time.year} / month{static_cast<unsigned>(time.mon)} /
                       std::chrono::day{static_cast<unsigned>(time.day)};
  const sys_seconds moment = day + hours{time.hour} + minutes{time.min} + seconds{time.sec};
  return moment.time_since_epoch().count();
}

std::string CommonName(const mbedtls_x509_name& name) {
  std::string out;
  for (const mbedtls_x509_name* part = &name; part != nullptr; part = part->next) {
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0) {
      out = Printable({reinterpret_cast<const char*>(part->val.p), part->val.len});
    }
  }
  return out;
}

}  // namespace

void Certificate::Free::operator()(mbedtls_x509_crt* certificate) const {
  mbedtls_x509_crt_free(certificate);
  delete certificate;
}

Result<Certificate> Certificate::Parse(std::span<const std::byte> der) {
  std::unique_ptr<mbedtls_x509_crt, Free> parsed(new mbedtls_x509_crt);
  mbedtls_x509_crt_init(parsed.get());
  if (mbedtls_x509_crt_parse_der(parsed.get(), Raw(der), der.size()) != 0 ||
      parsed->raw.len != der.size() || !SplitSigned(der).ok()) {
    return Error(Status::kMalformed);
  }
  AmdExtensions amd;
  if (parsed->v3_ext.len != 0) {
    amd = TRY(ParseAmdExtensions(View(parsed->v3_ext)));
  }
  return Certificate(std::move(parsed), std::move(amd));
}

std::span<const std::byte> Certificate::der() const { return View(parsed_->raw); }

std::string Certificate::Name() const { return CommonName(parsed_->subject); }

std::string Certificate::IssuerName() const { return CommonName(parsed_->issuer); }

bool Certificate::is_self_issued() const { return NamesAsIssuer(*this); }

bool Certificate::NamesAsIssuer(const Certificate& issuer) const {
  return std::ranges::equal(View(parsed_->issuer_raw), View(issuer.parsed_->subject_raw));
}

int64_t Certificate::not_before() const { return Seconds(parsed_->valid_from); }

int64_t Certificate::not_after() const { return Seconds(parsed_->valid_to); }

std::span<const std::byte> Certificate::serial() const { return View(parsed_->serial); }

Sha256Digest Certificate::PublicKeyHash() const { return Sha256::Hash(View(parsed_->pk_raw)); }

bool Certificate::MaySignCertificates() const {
  return mbedtls_x509_crt_has_ext_type(parsed_.get(), MBEDTLS_X509_EXT_KEY_USAGE) &&
         mbedtls_x509_crt_get_ca_istrue(parsed_.get()) == 1 &&
         mbedtls_x509_crt_check_key_usage(parsed_.get(), MBEDTLS_X509_KU_KEY_CERT_SIGN) == 0;
}

bool Certificate::HasRsa4096Key() const {
  return mbedtls_pk_can_do(&parsed_->pk, MBEDTLS_PK_RSA) &&
         mbedtls_pk_get_bitlen(&parsed_->pk) == 4096;
}

std::optional<EcdsaP384PublicKey::Raw> Certificate::EcKey() const {
  const Result<EcdsaP384PublicKey> key = EcdsaP384PublicKey::FromDer(View(parsed_->pk_raw));
  if (!key.ok()) {
    return std::nullopt;
  }
  return key.value().raw();
}

bool Certificate::ClaimsAmdSignature() const {
  const Result<SignedParts> parts = SplitSigned(der());
  return parts.ok() && IsPssSha384(parts.value().algorithm);
}

bool Certificate::IsSignedBy(const Certificate& issuer) const {
  return SignatureHolds(der(), issuer.parsed_->pk);
}

void RevocationList::Free::operator()(mbedtls_x509_crl* list) const {
  mbedtls_x509_crl_free(list);
  delete list;
}

Result<RevocationList> RevocationList::Parse(std::span<const std::byte> der) {
  std::unique_ptr<mbedtls_x509_crl, Free> parsed(new mbedtls_x509_crl);
  mbedtls_x509_crl_init(parsed.get());
  if (mbedtls_x509_crl_parse_der(parsed.get(), Raw(der), der.size()) != 0 ||
      parsed->raw.len != der.size() || !SplitSigned(der).ok()) {
    return Error(Status::kMalformed);
  }
  return RevocationList(std::move(parsed));
}

bool RevocationList::NamesAsIssuer(const Certificate& issuer) const {
  return std::ranges::equal(View(parsed_->issuer_raw), View(issuer.parsed_->subject_raw));
}

bool RevocationList::IsSignedBy(const Certificate& issuer) const {
  return SignatureHolds(View(parsed_->raw), issuer.parsed_->pk);
}

int64_t RevocationList::this_update() const { return Seconds(parsed_->this_update); }

int64_t RevocationList::next_update() const { return Seconds(parsed_->next_update); }

bool RevocationList::Revokes(const Certificate& certificate) const {
  for (const mbedtls_x509_crl_entry* entry = &parsed_->entry; entry != nullptr;
       entry = entry->next) {
    if (entry->serial.len != 0 && std::ranges::equal(View(entry->serial), certificate.serial())) {
      return true;
    }
  }
  return false;
}

Result<std::vector<Bytes>> SplitCertificates(std::span<const std::byte> file) {
  mbedtls_x509_crt list;
  mbedtls_x509_crt_init(&list);
  // PEM is recognised by the NUL at its end.
  Bytes text(file.begin(), file.end());
  text.push_back(std::byte{0});
  const bool parsed = mbedtls_x509_crt_parse(&list, Raw(text), text.size()) == 0;
  std::vector<Bytes> out;
  for (const mbedtls_x509_crt* certificate = &list;
       parsed && certificate != nullptr && certificate->raw.len != 0;
       certificate = certificate->next) {
    const std::span<const std::byte> der = View(certificate->raw);
    out.emplace_back(der.begin(), der.end());
  }
  mbedtls_x509_crt_free(&list);
  if (out.empty()) {
    return Error(Status::kMalformed);
  }
  return out;
}

}  // namespace nsgx::verify
