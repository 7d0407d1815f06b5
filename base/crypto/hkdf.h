// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "base/crypto/hmac.h"

namespace nsgx {

// HKDF with SHA-256 (RFC 5869). No heap; intermediate keys are overwritten.

inline constexpr size_t kHkdfMaxSize = 255 * HmacSha256::kSize;

// Returns a pseudorandom key from `secret`, which has entropy but perhaps not evenly spread.
HmacSha256::Mac HkdfExtract(std::span<const std::byte> salt, std::span<const std::byte> secret);

// Fills `key` from a pseudorandom key and `info`, which says what the key is for. Different infos
// give independent keys.
//
// Errors: kOutOfRange  key is larger than kHkdfMaxSize; it is unchanged.
Result<void> HkdfExpand(std::span<const std::byte> pseudorandom_key,
                        std::span<const std::byte> info, std::span<std::byte> key);

// Extract and expand in one. Errors: as HkdfExpand.
Result<void> Hkdf(std::span<const std::byte> secret, std::span<const std::byte> salt,
                  std::span<const std::byte> info, std::span<std::byte> key);

}  // namespace nsgx
