// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/ecdsa_p384.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>

#include "base/crypto/mbedtls_support.h"
#include "base/crypto/secure_zero.h"

namespace nsgx {
namespace {

using internal::BigNumber;
using internal::CurvePoint;
using internal::FromMbedtls;
using internal::MutableRawBytes;
using internal::RandomForMbedtls;
using internal::RawBytes;

// Uncompressed point, SEC 1, 2.3.3.
constexpr std::byte kUncompressed{4};

// SubjectPublicKeyInfo (RFC 5480) up to the coordinates: SEQUENCE { SEQUENCE { ecPublicKey,
// secp384r1 }, BIT STRING { uncompressed point } }.
constexpr size_t kDerPrefixSize = EcdsaP384PublicKey::kDerSize - EcdsaP384PublicKey::kRawSize;
constexpr std::array<uint8_t, kDerPrefixSize> kDerPrefix = {
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04};

// The curve, loaded.
class Curve {
 public:
  Curve() { mbedtls_ecp_group_init(&group_); }
  Curve(const Curve&) = delete;
  Curve& operator=(const Curve&) = delete;
  ~Curve() { mbedtls_ecp_group_free(&group_); }

  Result<void> Load() {
    return FromMbedtls(mbedtls_ecp_group_load(&group_, MBEDTLS_ECP_DP_SECP384R1),
                       Status::kInternal);
  }

  mbedtls_ecp_group* get() { return &group_; }

 private:
  mbedtls_ecp_group group_;
};

Result<void> ReadNumber(std::span<const std::byte> bytes, BigNumber& number) {
  return FromMbedtls(mbedtls_mpi_read_binary(number.get(), RawBytes(bytes), bytes.size()),
                     Status::kInternal);
}

Result<void> WriteNumber(BigNumber& number, std::span<std::byte> bytes) {
  return FromMbedtls(mbedtls_mpi_write_binary(number.get(), MutableRawBytes(bytes), bytes.size()),
                     Status::kInternal);
}

// Reads a point and checks that it is on the curve.
Result<void> ReadPoint(Curve& curve, const EcdsaP384PublicKey::Raw& raw, CurvePoint& point) {
  std::array<std::byte, 1 + EcdsaP384PublicKey::kRawSize> encoded;
  encoded[0] = kUncompressed;
  __builtin_memcpy(&encoded[1], raw.data(), raw.size());
  TRY(FromMbedtls(
      mbedtls_ecp_point_read_binary(curve.get(), point.get(), RawBytes(encoded), encoded.size()),
      Status::kMalformed));
  return FromMbedtls(mbedtls_ecp_check_pubkey(curve.get(), point.get()), Status::kMalformed);
}

// Returns the point of `scalar`.
Result<EcdsaP384PublicKey::Raw> PublicPoint(Curve& curve, BigNumber& scalar, Drbg& drbg) {
  CurvePoint point;
  TRY(FromMbedtls(mbedtls_ecp_mul(curve.get(), point.get(), scalar.get(), &curve.get()->G,
                                  RandomForMbedtls, &drbg),
                  Status::kInternal));
  std::array<std::byte, 1 + EcdsaP384PublicKey::kRawSize> encoded;
  size_t size = 0;
  TRY(FromMbedtls(
      mbedtls_ecp_point_write_binary(curve.get(), point.get(), MBEDTLS_ECP_PF_UNCOMPRESSED, &size,
                                     MutableRawBytes(encoded), encoded.size()),
      Status::kInternal));
  EcdsaP384PublicKey::Raw raw;
  __builtin_memcpy(raw.data(), &encoded[1], raw.size());
  return raw;
}

}  // namespace

Result<EcdsaP384PublicKey> EcdsaP384PublicKey::FromRaw(std::span<const std::byte, kRawSize> raw) {
  Raw copy;
  __builtin_memcpy(copy.data(), raw.data(), raw.size());
  Curve curve;
  CurvePoint point;
  TRY(curve.Load());
  TRY(ReadPoint(curve, copy, point));
  return EcdsaP384PublicKey(copy);
}

Result<EcdsaP384PublicKey> EcdsaP384PublicKey::FromDer(std::span<const std::byte> der) {
  if (der.size() != kDerSize ||
      __builtin_memcmp(der.data(), kDerPrefix.data(), kDerPrefix.size()) != 0) {
    return Error(Status::kMalformed);
  }
  return FromRaw(der.subspan(kDerPrefix.size()).first<kRawSize>());
}

EcdsaP384PublicKey::Der EcdsaP384PublicKey::ToDer() const {
  Der der;
  __builtin_memcpy(der.data(), kDerPrefix.data(), kDerPrefix.size());
  __builtin_memcpy(&der[kDerPrefix.size()], raw_.data(), raw_.size());
  return der;
}

Result<void> EcdsaP384PublicKey::Verify(const Sha384::Digest& digest,
                                        const EcdsaP384Signature& signature) const {
  Curve curve;
  CurvePoint point;
  BigNumber r;
  BigNumber s;
  TRY(curve.Load());
  TRY(ReadPoint(curve, raw_, point));
  TRY(ReadNumber(std::span(signature).first(kP384ScalarSize), r));
  TRY(ReadNumber(std::span(signature).last(kP384ScalarSize), s));
  return FromMbedtls(mbedtls_ecdsa_verify(curve.get(), RawBytes(digest), digest.size(), point.get(),
                                          r.get(), s.get()),
                     Status::kBadSignature);
}

EcdsaP384PrivateKey::EcdsaP384PrivateKey(const Scalar& scalar, const EcdsaP384PublicKey& public_key)
    : scalar_(scalar), public_key_(public_key) {}

EcdsaP384PrivateKey::EcdsaP384PrivateKey(EcdsaP384PrivateKey&& other) noexcept
    : scalar_(other.scalar_), public_key_(other.public_key_) {
  SecureZeroObject(other.scalar_);
}

EcdsaP384PrivateKey::~EcdsaP384PrivateKey() { SecureZeroObject(scalar_); }

Result<EcdsaP384PrivateKey> EcdsaP384PrivateKey::Generate(Drbg& drbg) {
  std::array<std::byte, kSeedSize> seed;
  TRY(drbg.Generate(seed));
  Result<EcdsaP384PrivateKey> key = Derive(seed, drbg);
  SecureZeroObject(seed);
  return key;
}

Result<EcdsaP384PrivateKey> EcdsaP384PrivateKey::Derive(std::span<const std::byte, kSeedSize> seed,
                                                        Drbg& drbg) {
  Curve curve;
  BigNumber number;
  BigNumber limit;
  TRY(curve.Load());
  // (seed mod (n - 1)) + 1 is a scalar in [1, n - 1].
  TRY(ReadNumber(seed, number));
  TRY(FromMbedtls(mbedtls_mpi_sub_int(limit.get(), &curve.get()->N, 1), Status::kInternal));
  TRY(FromMbedtls(mbedtls_mpi_mod_mpi(number.get(), number.get(), limit.get()), Status::kInternal));
  TRY(FromMbedtls(mbedtls_mpi_add_int(number.get(), number.get(), 1), Status::kInternal));
  const EcdsaP384PublicKey::Raw raw = TRY(PublicPoint(curve, number, drbg));
  Scalar scalar;
  TRY(WriteNumber(number, scalar));
  EcdsaP384PrivateKey key(scalar, EcdsaP384PublicKey(raw));
  SecureZeroObject(scalar);
  return key;
}

Result<EcdsaP384Signature> EcdsaP384PrivateKey::Sign(const Sha384::Digest& digest,
                                                     Drbg& drbg) const {
  Curve curve;
  BigNumber scalar;
  BigNumber r;
  BigNumber s;
  TRY(curve.Load());
  TRY(ReadNumber(scalar_, scalar));
  TRY(FromMbedtls(
      mbedtls_ecdsa_sign_det_ext(curve.get(), r.get(), s.get(), scalar.get(), RawBytes(digest),
                                 digest.size(), MBEDTLS_MD_SHA384, RandomForMbedtls, &drbg),
      Status::kInternal));
  EcdsaP384Signature signature;
  TRY(WriteNumber(r, std::span(signature).first(kP384ScalarSize)));
  TRY(WriteNumber(s, std::span(signature).last(kP384ScalarSize)));
  return signature;
}

}  // namespace nsgx
