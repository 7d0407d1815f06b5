// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/hkdf.h"

#include "base/crypto/secure_zero.h"

namespace nsgx {

HmacSha256::Mac HkdfExtract(std::span<const std::byte> salt, std::span<const std::byte> secret) {
  return HmacSha256::Compute(salt, secret);
}

Result<void> HkdfExpand(std::span<const std::byte> pseudorandom_key,
                        std::span<const std::byte> info, std::span<std::byte> key) {
  if (key.size() > kHkdfMaxSize) {
    return Error(Status::kOutOfRange);
  }
  HmacSha256 hmac(pseudorandom_key);
  HmacSha256::Mac block;
  for (std::byte counter{1}; !key.empty();
       counter = static_cast<std::byte>(std::to_integer<unsigned>(counter) + 1)) {
    if (counter != std::byte{1}) {
      hmac.Update(block);
    }
    hmac.Update(info);
    hmac.Update(std::span(&counter, 1));
    block = hmac.Finish();
    const size_t size = key.size() < block.size() ? key.size() : block.size();
    __builtin_memcpy(key.data(), block.data(), size);
    key = key.subspan(size);
  }
  SecureZeroObject(block);
  return {};
}

Result<void> Hkdf(std::span<const std::byte> secret, std::span<const std::byte> salt,
                  std::span<const std::byte> info, std::span<std::byte> key) {
  HmacSha256::Mac pseudorandom_key = HkdfExtract(salt, secret);
  Result<void> result = HkdfExpand(pseudorandom_key, info, key);
  SecureZeroObject(pseudorandom_key);
  return result;
}

}  // namespace nsgx
