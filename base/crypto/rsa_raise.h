// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

// The public operation of RSA-3072, for rsa_pss.cc and its test.
namespace nsgx::internal {

// A number of 3072 bits, least significant word first.
using RsaNumber = std::array<uint64_t, 48>;

// Returns base^65537 mod modulus.
//
// Requires: the modulus is odd and has its highest bit set; base < modulus. All of it is public:
//           the time depends on the values.
RsaNumber RsaRaise(const RsaNumber& base, const RsaNumber& modulus);

}  // namespace nsgx::internal
