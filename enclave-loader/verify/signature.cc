// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/signature.h"

#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>

#include <algorithm>

#include "base/crypto/sha512.h"

namespace nsgx::verify {

namespace {

constexpr size_t kScalarSize = 48;

struct EcValues {
  mbedtls_ecp_group group;
  mbedtls_ecp_point key;
  mbedtls_mpi r, s;

  EcValues() {
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
  }
  ~EcValues() {
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecp_point_free(&key);
    mbedtls_ecp_group_free(&group);
  }
  EcValues(const EcValues&) = delete;
  EcValues& operator=(const EcValues&) = delete;
};

}  // namespace

bool P384SignatureHolds(std::span<const std::byte, 96> key, std::span<const std::byte> message,
                        std::span<const std::byte, 96> signature) {
  EcValues ec;
  unsigned char point[1 + 2 * kScalarSize] = {0x04};  // uncompressed
  std::copy_n(Raw(key), key.size(), point + 1);
  const Sha384::Digest hash = Sha384::Hash(message);
  // mbedtls_ecp_point_read_binary does not ask whether the point lies on the curve.
  return mbedtls_ecp_group_load(&ec.group, MBEDTLS_ECP_DP_SECP384R1) == 0 &&
         mbedtls_ecp_point_read_binary(&ec.group, &ec.key, point, sizeof(point)) == 0 &&
         mbedtls_ecp_check_pubkey(&ec.group, &ec.key) == 0 &&
         mbedtls_mpi_read_binary(&ec.r, Raw(signature), kScalarSize) == 0 &&
         mbedtls_mpi_read_binary(&ec.s, Raw(signature) + kScalarSize, kScalarSize) == 0 &&
         mbedtls_ecdsa_verify(&ec.group, Raw(hash), hash.size(), &ec.key, &ec.r, &ec.s) == 0;
}

bool FromReportForm(const uint8_t (&r)[72], const uint8_t (&s)[72], P384Signature& out) {
  const auto convert = [](const uint8_t (&number)[72], std::span<std::byte, kScalarSize> to) {
    for (size_t i = 0; i < kScalarSize; ++i) {
      to[i] = std::byte{number[kScalarSize - 1 - i]};
    }
    return std::all_of(number + kScalarSize, number + 72, [](uint8_t b) { return b == 0; });
  };
  const std::span<std::byte, 96> halves(out);
  const bool r_fits = convert(r, halves.first<kScalarSize>());
  const bool s_fits = convert(s, halves.last<kScalarSize>());
  return r_fits && s_fits;
}

}  // namespace nsgx::verify
