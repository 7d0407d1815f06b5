// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "enclave-loader/verify/bytes.h"

namespace nsgx::verify {

// X || Y of a point of P-384, and R || S of a signature; each half big-endian.
using P384Point = std::array<std::byte, 96>;
using P384Signature = std::array<std::byte, 96>;

// Returns whether `signature` is one over `message` by `key`: ECDSA P-384 with SHA-384. No point of the curve signs nothing.
bool P384SignatureHolds(std::span<const std::byte, 96> key, std::span<const std::byte> message,
                        std::span<const std::byte, 96> signature);

// Turns the halves of a report's signature, 72 bytes little-endian each, into the form above.
//
// Returns false if one of them has more than 384 bits.
bool FromReportForm(const uint8_t (&r)[72], const uint8_t (&s)[72], P384Signature& out);

}  // namespace nsgx::verify
