// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/report_signer.h"

#include <mbedtls/bignum.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/sha512.h>

#include <cstdint>
#include <cstring>

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

void StoreLittleEndian(const mbedtls_mpi& number, uint8_t (&out)[72]) {
  std::memset(out, 0, sizeof(out));
  // Cannot fail: r and s are smaller than the order of the group.
  static_cast<void>(mbedtls_mpi_write_binary_le(&number, out, kScalarSize));
}

}  // namespace

Result<void> SignReport(std::span<const std::byte, 48> private_key, snp_report& report) {
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
  uint8_t hash[48];
  if (mbedtls_sha512(reinterpret_cast<const unsigned char*>(&report), SNP_REPORT_SIGNED_SIZE, hash,
                     /*is384=*/1) != 0 ||
      mbedtls_ecdsa_sign_det_ext(&signer.group, &signer.r, &signer.s, &signer.key, hash,
                                 sizeof(hash), MBEDTLS_MD_SHA384, FixedPattern, nullptr) != 0) {
    return Error(Status::kNoMemory);
  }
  StoreLittleEndian(signer.r, report.signature_r);
  StoreLittleEndian(signer.s, report.signature_s);
  return {};
}

}  // namespace nsgx::chip
