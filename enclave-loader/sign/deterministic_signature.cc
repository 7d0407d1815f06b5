// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/deterministic_signature.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/core/bytes.h"
#include "base/core/scope_exit.h"
#include "base/crypto/hmac.h"
#include "base/crypto/secure_zero.h"

namespace nsgx::loader {
namespace {

// Gives bytes that nobody can guess who does not have the key, different ones for each digest,
// always the same for both: a counter under a MAC.
class SecretStream final : public EntropySource {
 public:
  explicit SecretStream(std::span<const std::byte> key, const Sha256::Digest& digest)
      : secret_(HmacSha256::Compute(key, digest)) {}
  ~SecretStream() { SecureZeroObject(secret_); }

  Result<void> Fill(std::span<std::byte> seed) override {
    while (!seed.empty()) {
      const HmacSha256::Mac block = HmacSha256::Compute(secret_, BytesOf(counter_));
      const size_t size = std::min(seed.size(), block.size());
      std::copy_n(block.begin(), size, seed.begin());
      seed = seed.subspan(size);
      ++counter_;
    }
    return {};
  }

 private:
  HmacSha256::Mac secret_;
  uint64_t counter_ = 0;
};

}  // namespace

Result<RsaSignature> SignDeterministically(const RsaPrivateKey& key, const Sha256::Digest& digest) {
  std::array<char, RsaPrivateKey::kMaxPemSize> buffer;
  ScopeExit wipe([&] { SecureZeroObject(buffer); });
  const std::string_view pem = TRY(key.ToPem(buffer));
  SecretStream stream(BytesOf(pem), digest);
  // The first bytes taken are the salt; later ones only blind the computation and do not show in
  // the result.
  Drbg drbg;
  TRY(drbg.Seed(stream, BytesOf("nsgx image signature v1")));
  return key.Sign(digest, drbg);
}

}  // namespace nsgx::loader
