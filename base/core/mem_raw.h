// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Copying and filling by the processor's string instructions: no vector register is touched, no
// byte is accessed twice, and no compiler turns them into calls of the functions they implement.
//
// All of them require DF = 0, as the psABI does.
namespace nsgx {

// Words first: an emulated processor does one repetition after the other.

// Copies `size` bytes forward; each is read once and written once. The regions do not overlap.
// For memory that somebody else may be changing.
inline void CopyOnce(volatile void* target, const volatile void* source, size_t size) {
  size_t words = size / 8;
  size_t rest = size % 8;
  asm volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
  if (rest != 0) {
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(rest) : : "memory");
  }
}

// Writes `value` to `size` bytes, each once.
inline void FillOnce(volatile void* target, std::byte value, size_t size) {
  const uint64_t pattern = std::to_integer<uint64_t>(value) * 0x0101010101010101;
  size_t words = size / 8;
  size_t rest = size % 8;
  asm volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(pattern) : "memory");
  if (rest != 0) {
    asm volatile("rep stosb" : "+D"(target), "+c"(rest) : "a"(pattern) : "memory");
  }
}

namespace internal {

template <typename T>
T LoadUnaligned(const std::byte* from) {
  T value;
  __builtin_memcpy_inline(&value, from, sizeof(T));
  return value;
}

template <typename T>
void StoreUnaligned(std::byte* to, T value) {
  __builtin_memcpy_inline(to, &value, sizeof(T));
}

// Copies 1 to 16 bytes; loads everything before it stores anything, so overlap does no harm.
inline void CopySmall(std::byte* to, const std::byte* from, size_t size) {
  if (size >= 8) {
    const uint64_t head = LoadUnaligned<uint64_t>(from);
    const uint64_t tail = LoadUnaligned<uint64_t>(from + size - 8);
    StoreUnaligned(to, head);
    StoreUnaligned(to + size - 8, tail);
  } else if (size >= 4) {
    const uint32_t head = LoadUnaligned<uint32_t>(from);
    const uint32_t tail = LoadUnaligned<uint32_t>(from + size - 4);
    StoreUnaligned(to, head);
    StoreUnaligned(to + size - 4, tail);
  } else if (size != 0) {
    const std::byte first = from[0];
    const std::byte middle = from[size / 2];
    const std::byte last = from[size - 1];
    to[0] = first;
    to[size / 2] = middle;
    to[size - 1] = last;
  }
}

}  // namespace internal

// The bodies of memcpy, memmove, memset, memcmp and strlen for worlds without a libc (`mem.cc`).
// They require and return what the C functions of that name do.

inline void* MemCopy(void* target, const void* source, size_t size) {
  if (size <= 16) {
    internal::CopySmall(static_cast<std::byte*>(target), static_cast<const std::byte*>(source),
                        size);
  } else {
    CopyOnce(target, source, size);
  }
  return target;
}

inline void* MemMove(void* target, const void* source, size_t size) {
  std::byte* to = static_cast<std::byte*>(target);
  const std::byte* from = static_cast<const std::byte*>(source);
  // One unsigned comparison: the target is not inside the source behind its start.
  if (size <= 16 || reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from) >= size) {
    return MemCopy(target, source, size);
  }
  // Backward by words: with DF set, `rep movs` would go byte by byte.
  while (size >= 8) {
    size -= 8;
    const uint64_t word = internal::LoadUnaligned<uint64_t>(from + size);
    // Stops the compiler from recognising the loop and calling memmove.
    asm volatile("" : : : "memory");
    internal::StoreUnaligned(to + size, word);
  }
  internal::CopySmall(to, from, size);
  return target;
}

inline void* MemSet(void* target, int value, size_t size) {
  FillOnce(target, static_cast<std::byte>(value), size);
  return target;
}

inline int MemCompare(const void* a, const void* b, size_t size) {
  const std::byte* left = static_cast<const std::byte*>(a);
  const std::byte* right = static_cast<const std::byte*>(b);
  size_t i = 0;
  while (size - i >= 8) {
    const uint64_t x = internal::LoadUnaligned<uint64_t>(left + i);
    const uint64_t y = internal::LoadUnaligned<uint64_t>(right + i);
    if (x != y) {
      // The first byte in memory is the least significant: compare in reversed order.
      return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
    }
    i += 8;
  }
  for (; i < size; ++i) {
    // Stops the compiler from recognising the loop and calling memcmp.
    asm volatile("" : : : "memory");
    if (left[i] != right[i]) {
      return std::to_integer<int>(left[i]) - std::to_integer<int>(right[i]);
    }
  }
  return 0;
}

inline size_t MemTextSize(const char* text) {
  size_t size = 0;
  while (text[size] != '\0') {
    // Stops the compiler from recognising the loop and calling strlen.
    asm volatile("" : : : "memory");
    ++size;
  }
  return size;
}

}  // namespace nsgx
