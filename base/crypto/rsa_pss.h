// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "base/crypto/sha256.h"

namespace nsgx {

// RSA-3072 with PSS padding (RFC 8017): SHA-256, MGF1 with SHA-256, 32 bytes of salt, exponent
// 65537. One set of parameters, so that nothing about a signature is negotiable.

inline constexpr size_t kRsaSize = 384;
inline constexpr size_t kRsaSaltSize = 32;

// Big-endian, as in certificates and in image.h.
using RsaModulus = std::array<std::byte, kRsaSize>;
using RsaSignature = std::array<std::byte, kRsaSize>;

// Checks that `signature` was made over a message with SHA-256 `digest` by the owner of `modulus`.
// Whether that owner is trusted is another question. No heap; less than 2 KiB of stack.
//
// Errors: kMalformed     the modulus is even or shorter than 3072 bits.
//         kBadSignature  it was not.
// Trust:  all three may be anybody's.
Result<void> RsaPssVerify(std::span<const std::byte, kRsaSize> modulus,
                          const Sha256::Digest& digest,
                          std::span<const std::byte, kRsaSize> signature);

}  // namespace nsgx
