// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/signature.h"

#include <algorithm>

#include "base/crypto/sha512.h"

namespace nsgx::verify {

bool P384SignatureHolds(std::span<const std::byte, 96> key, std::span<const std::byte> message,
                        const EcdsaP384Signature& signature) {
  const Result<EcdsaP384PublicKey> point = EcdsaP384PublicKey::FromRaw(key);
  return point.ok() && point.value().Verify(Sha384::Hash(message), signature).ok();
}

bool FromReportForm(const uint8_t (&r)[72], const uint8_t (&s)[72], EcdsaP384Signature& out) {
  const auto convert = [](const uint8_t(&number)[72], std::span<std::byte, kP384ScalarSize> to) {
    for (size_t i = 0; i < kP384ScalarSize; ++i) {
      to[i] = std::byte{number[kP384ScalarSize - 1 - i]};
    }
    return std::all_of(number + kP384ScalarSize, number + 72, [](uint8_t b) { return b == 0; });
  };
  const std::span<std::byte, 2 * kP384ScalarSize> halves(out);
  const bool r_fits = convert(r, halves.first<kP384ScalarSize>());
  const bool s_fits = convert(s, halves.last<kP384ScalarSize>());
  return r_fits && s_fits;
}

}  // namespace nsgx::verify
