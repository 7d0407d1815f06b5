// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/hmac.h"

#include <array>

#include "base/crypto/secure_zero.h"

namespace nsgx {

HmacSha256::HmacSha256(std::span<const std::byte> key) {
  std::array<std::byte, Sha256::kBlockSize> block{};
  if (key.size() > block.size()) {
    const Sha256::Digest digest = Sha256::Hash(key);
    __builtin_memcpy(block.data(), digest.data(), digest.size());
  } else if (!key.empty()) {
    __builtin_memcpy(block.data(), key.data(), key.size());
  }
  constexpr std::byte kInnerPad{0x36};
  constexpr std::byte kOuterPad{0x5c};
  for (std::byte& byte : block) {
    byte ^= kInnerPad;
  }
  inner_start_.Update(block);
  for (std::byte& byte : block) {
    byte ^= kInnerPad ^ kOuterPad;
  }
  outer_start_.Update(block);
  SecureZeroObject(block);
  inner_ = inner_start_;
}

void HmacSha256::Update(std::span<const std::byte> data) { inner_.Update(data); }

HmacSha256::Mac HmacSha256::Finish() {
  Sha256 outer = outer_start_;
  outer.Update(inner_.Finish());
  inner_ = inner_start_;
  return outer.Finish();
}

HmacSha256::Mac HmacSha256::Compute(std::span<const std::byte> key,
                                    std::span<const std::byte> data) {
  HmacSha256 hmac(key);
  hmac.Update(data);
  return hmac.Finish();
}

}  // namespace nsgx
