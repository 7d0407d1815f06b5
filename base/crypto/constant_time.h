// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace nsgx {

// Returns whether the two have the same bytes, in a time that depends on their size only. For
// everything that an attacker may try again with another guess: tags, MACs, secrets.
//
// Buffers of different sizes are unequal; the sizes are taken to be public.
inline bool EqualInConstantTime(std::span<const std::byte> a, std::span<const std::byte> b) {
  if (a.size() != b.size()) {
    return false;
  }
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= std::to_integer<unsigned>(a[i] ^ b[i]);
    // Keeps the compiler from seeing that the rest no longer matters once a bit is set.
    asm("" : "+r"(difference));
  }
  return difference == 0;
}

}  // namespace nsgx
