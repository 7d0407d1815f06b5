// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/report_signer.h"

#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>

#include <cstdint>
#include <cstring>

#include "base/core/bytes.h"
#include "base/crypto/sha512.h"

namespace nsgx::chip {

namespace {

constexpr size_t kScalarSize = 48;

// All that a signature needs, released together.
struct Signer {
  mbedtls_ecp_group group;
  mbedtls_mpi key, r, s;

  Signer() {
    mbedtls_ecp_group_init(&group);
    mbedtls_mpi_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
  }
  ~Signer() {
    mbedtls_ecp_group_free(&group);
    mbedtls_mpi_free(&key);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
  }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;
};

// Blinding hides a secret key from side channels; this key is public, so a fixed pattern will do.
int FixedPattern(void*, unsigned char* out, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    out[i] = static_cast<unsigned char>(0x5a + i);
  }
  return 0;
}

// The halves of a report's signature are little-endian, in more bytes than they need.
void StoreLittleEndian(std::span<const std::byte, kScalarSize> big_endian, uint8_t (&out)[72]) {
  std::memset(out, 0, sizeof(out));
  for (size_t i = 0; i < kScalarSize; ++i) {
    out[i] = std::to_integer<uint8_t>(big_endian[kScalarSize - 1 - i]);
  }
}

}  // namespace

Result<std::array<std::byte, 96>> SignP384(std::span<const std::byte, 48> private_key,
                                           std::span<const std::byte> message) {
  Signer signer;
  if (mbedtls_ecp_group_load(&signer.group, MBEDTLS_ECP_DP_SECP384R1) != 0 ||
      mbedtls_mpi_read_binary(&signer.key,
                              reinterpret_cast<const unsigned char*>(private_key.data()),
                              private_key.size()) != 0) {
    return Error(Status::kNoMemory);
  }
  if (mbedtls_ecp_check_privkey(&signer.group, &signer.key) != 0) {
    return Error(Status::kInvalidArgument);
  }
  const Sha384::Digest hash = Sha384::Hash(message);
  std::array<std::byte, 96> signature;
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  if (mbedtls_ecdsa_sign_det_ext(&signer.group, &signer.r, &signer.s, &signer.key,
                                 reinterpret_cast<const unsigned char*>(hash.data()), hash.size(),
                                 MBEDTLS_MD_SHA384, FixedPattern, nullptr) != 0 ||
      mbedtls_mpi_write_binary(&signer.r, out, kScalarSize) != 0 ||
      mbedtls_mpi_write_binary(&signer.s, out + kScalarSize, kScalarSize) != 0) {
    return Error(Status::kNoMemory);
  }
  return signature;
}

Result<void> SignReport(std::span<const std::byte, 48> private_key, snp_report& report) {
  const std::array<std::byte, 96> signature =
      TRY(SignP384(private_key, BytesOf(report).first(SNP_REPORT_SIGNED_SIZE)));
  const std::span<const std::byte, 96> halves(signature);
  StoreLittleEndian(halves.first<kScalarSize>(), report.signature_r);
  StoreLittleEndian(halves.last<kScalarSize>(), report.signature_s);
  return {};
}

}  // namespace nsgx::chip
