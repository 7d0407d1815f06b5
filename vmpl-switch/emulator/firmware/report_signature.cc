// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/firmware/report_signature.h"

#include <mbedtls/x509_crt.h>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "base/crypto/ecdsa_p384.h"
#include "base/crypto/sha512.h"
#include "vmpl-switch/emulator/chip/chip.h"

namespace nsgx::firmware {

bool SignatureHolds(const snp_report& report, std::span<const std::byte> vcek) {
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  CHECK(mbedtls_x509_crt_parse_der(
            &certificate, reinterpret_cast<const unsigned char*>(vcek.data()), vcek.size()) == 0);
  const EcdsaP384PublicKey key =
      EcdsaP384PublicKey::FromDer(
          std::as_bytes(std::span(certificate.pk_raw.p, certificate.pk_raw.len)))
          .value();
  mbedtls_x509_crt_free(&certificate);
  EcdsaP384Signature signature;
  for (size_t i = 0; i < kP384ScalarSize; ++i) {
    signature[i] = std::byte{report.signature_r[kP384ScalarSize - 1 - i]};
    signature[kP384ScalarSize + i] = std::byte{report.signature_s[kP384ScalarSize - 1 - i]};
  }
  return key.Verify(Sha384::Hash(BytesOf(report).first(SNP_REPORT_SIGNED_SIZE)), signature).ok();
}

bool SignatureHolds(const snp_report& report) {
  ByteReader chain(chip::CertificateChain());
  const uint32_t size = chain.Read<uint32_t>().value();
  return SignatureHolds(report, chain.ReadBytes(size).value());
}

}  // namespace nsgx::firmware
