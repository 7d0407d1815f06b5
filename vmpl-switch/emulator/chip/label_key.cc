// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/label_key.h"

#include <cstdint>
#include <cstring>

#include "base/core/bytes.h"
#include "base/crypto/entropy.h"
#include "base/crypto/sha512.h"

namespace nsgx::chip {

namespace {

// Random numbers only blind the computation, and there is no secret to hide here.
class NoEntropy final : public EntropySource {
 public:
  Result<void> Fill(std::span<std::byte> seed) override {
    std::memset(seed.data(), 0x5a, seed.size());
    return {};
  }
};

// `use` gets the key of the label and what blinds operations with it.
template <typename Use>
auto WithKey(std::string_view label, Use&& use)
    -> decltype(use(std::declval<EcdsaP384PrivateKey&>(), std::declval<Drbg&>())) {
  NoEntropy entropy;
  Drbg drbg;
  TRY(drbg.Seed(entropy, BytesOf(label)));
  const Sha512::Digest seed = Sha512::Hash(BytesOf(label));
  EcdsaP384PrivateKey key = TRY(
      EcdsaP384PrivateKey::Derive(std::span(seed).first<EcdsaP384PrivateKey::kSeedSize>(), drbg));
  return use(key, drbg);
}

// The halves of a report's signature are little-endian, in more bytes than they need.
void StoreLittleEndian(std::span<const std::byte, kP384ScalarSize> big_endian, uint8_t (&out)[72]) {
  std::memset(out, 0, sizeof(out));
  for (size_t i = 0; i < kP384ScalarSize; ++i) {
    out[i] = std::to_integer<uint8_t>(big_endian[kP384ScalarSize - 1 - i]);
  }
}

}  // namespace

Result<EcdsaP384PublicKey> LabelPublicKey(std::string_view label) {
  return WithKey(label, [](const EcdsaP384PrivateKey& key, Drbg&) {
    return Result<EcdsaP384PublicKey>(key.public_key());
  });
}

Result<EcdsaP384Signature> SignWithLabel(std::string_view label,
                                         std::span<const std::byte> message) {
  return WithKey(label, [message](const EcdsaP384PrivateKey& key, Drbg& drbg) {
    return key.Sign(Sha384::Hash(message), drbg);
  });
}

Result<void> SignReport(std::string_view label, snp_report& report) {
  const EcdsaP384Signature signature =
      TRY(SignWithLabel(label, BytesOf(report).first(SNP_REPORT_SIGNED_SIZE)));
  const std::span<const std::byte, 2 * kP384ScalarSize> halves(signature);
  StoreLittleEndian(halves.first<kP384ScalarSize>(), report.signature_r);
  StoreLittleEndian(halves.last<kP384ScalarSize>(), report.signature_s);
  return {};
}

}  // namespace nsgx::chip
