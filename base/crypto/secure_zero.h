// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

namespace nsgx {

// Overwrites secrets with zeros in a way that the compiler cannot leave out.
inline void SecureZero(std::span<std::byte> bytes) {
  __builtin_memset(bytes.data(), 0, bytes.size());
  // Somebody might read it: so the stores above are not dead.
  asm volatile("" : : "r"(bytes.data()) : "memory");
}

template <typename T>
  requires std::is_trivially_copyable_v<T>
void SecureZeroObject(T& object) {
  SecureZero(std::as_writable_bytes(std::span(&object, 1)));
}

}  // namespace nsgx
