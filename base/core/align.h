// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>

#include "base/core/check.h"
#include "base/core/result.h"

namespace nsgx {

// Alignments here are powers of two; another value is our bug and stops the world.

template <std::unsigned_integral T>
constexpr bool IsAligned(T value, T alignment) {
  CHECK(std::has_single_bit(alignment));
  return (value & (alignment - 1)) == 0;
}

// Returns the largest multiple of `alignment` that is not above `value`.
template <std::unsigned_integral T>
constexpr T AlignDown(T value, T alignment) {
  CHECK(std::has_single_bit(alignment));
  return static_cast<T>(value & ~(alignment - 1));
}

// Returns the smallest multiple of `alignment` that is not below `value`.
//
// Errors: kOutOfRange  it does not fit T.
template <std::unsigned_integral T>
constexpr Result<T> CheckedAlignUp(T value, T alignment) {
  CHECK(std::has_single_bit(alignment));
  const T mask = static_cast<T>(alignment - 1);
  T sum;
  if (__builtin_add_overflow(value, mask, &sum)) {
    return Error(Status::kOutOfRange);
  }
  return static_cast<T>(sum & ~mask);
}

// As CheckedAlignUp, for values that we made ourselves.
//
// Requires: the result fits T.
template <std::unsigned_integral T>
constexpr T AlignUp(T value, T alignment) {
  return CheckedAlignUp(value, alignment).value();
}

}  // namespace nsgx
