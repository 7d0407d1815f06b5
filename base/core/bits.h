// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/check.h"

namespace nsgx {

// Fields of registers and table entries, numbered as the manuals do: bit 0 is the least
// significant, a field is [high:low] with both ends in it.

constexpr uint64_t Bit(unsigned index) {
  CHECK(index < 64);
  return uint64_t{1} << index;
}

// Returns a mask of the bits [high:low].
constexpr uint64_t BitMask(unsigned high, unsigned low) {
  CHECK(high < 64 && low <= high);
  return (~uint64_t{0} >> (63 - (high - low))) << low;
}

// Returns bits [high:low] of `value`, moved down to bit 0.
constexpr uint64_t ExtractBits(uint64_t value, unsigned high, unsigned low) {
  return (value & BitMask(high, low)) >> low;
}

// Returns `value` with bits [high:low] replaced by `field`. Requires: `field` fits.
constexpr uint64_t InsertBits(uint64_t value, unsigned high, unsigned low, uint64_t field) {
  const uint64_t mask = BitMask(high, low);
  CHECK((field & ~(mask >> low)) == 0);
  return (value & ~mask) | (field << low);
}

}  // namespace nsgx
