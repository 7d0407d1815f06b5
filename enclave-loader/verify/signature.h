// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/crypto/ecdsa_p384.h"

namespace nsgx::verify {

// Returns whether `signature` is one over `message` by `key`, X then Y. No point of the curve signs
// nothing.
bool P384SignatureHolds(std::span<const std::byte, 96> key, std::span<const std::byte> message,
                        const EcdsaP384Signature& signature);

// Turns the halves of a report's signature, 72 bytes little-endian each, into R and S, big-endian.
//
// Returns false if one of them has more than 384 bits.
bool FromReportForm(const uint8_t (&r)[72], const uint8_t (&s)[72], EcdsaP384Signature& out);

}  // namespace nsgx::verify
