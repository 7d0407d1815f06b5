// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <utility>

#include "base/core/result.h"

namespace nsgx {

// Integer arithmetic on values that somebody else chose. Each returns the mathematically exact
// result or kOutOfRange; nothing wraps and nothing is undefined.

template <std::integral T>
constexpr Result<T> CheckedAdd(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) {
    return Error(Status::kOutOfRange);
  }
  return sum;
}

template <std::integral T>
constexpr Result<T> CheckedSub(T a, T b) {
  T difference;
  if (__builtin_sub_overflow(a, b, &difference)) {
    return Error(Status::kOutOfRange);
  }
  return difference;
}

template <std::integral T>
constexpr Result<T> CheckedMul(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) {
    return Error(Status::kOutOfRange);
  }
  return product;
}

// Converts between integer types, refusing a value that To cannot hold.
template <std::integral To, std::integral From>
constexpr Result<To> CheckedCast(From value) {
  if (!std::in_range<To>(value)) {
    return Error(Status::kOutOfRange);
  }
  return static_cast<To>(value);
}

}  // namespace nsgx
