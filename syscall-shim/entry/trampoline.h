// SPDX-License-Identifier: Apache-2.0
// From the six words of a system call to a typed handler, and from its result to the one number
// that the program gets: the only place where an Errno becomes a negative integer.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "libos/kernel/errno.h"

namespace nsgx::shim {

// What libos_syscall calls: the number comes first, as it does for the C library's own call.
using Trampoline = int64_t (*)(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                               uint64_t a5, uint64_t a6);

constexpr int64_t ToKernelResult(libos::Errno error) { return -static_cast<int64_t>(error); }

template <typename T>
int64_t ToKernelResult(Result<T, libos::Errno> result) {
  if (!result.ok()) {
    return ToKernelResult(result.error());
  }
  if constexpr (std::is_void_v<T>) {
    return 0;
  } else {
    return static_cast<int64_t>(result.value());
  }
}

// An argument as the handler wants it. Integers narrower than a register are cut, as Linux does.
template <typename T>
constexpr T FromWord(uint64_t word) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(word);
  } else {
    return T(word);  // UserIn, UserOut
  }
}

namespace internal {

template <auto kHandler, typename Signature>
struct Adapter;

template <auto kHandler, typename R, typename... Arguments>
struct Adapter<kHandler, R (*)(Arguments...)> {
  static_assert(sizeof...(Arguments) <= 6, "a system call has six arguments at most");

  static int64_t Call(uint64_t, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
                      uint64_t a6) {
    const uint64_t words[] = {a1, a2, a3, a4, a5, a6};
    return Invoke(words, std::index_sequence_for<Arguments...>());
  }

  template <size_t... kIndices>
  [[gnu::always_inline]] static int64_t Invoke([[maybe_unused]] const uint64_t (&words)[6],
                                               std::index_sequence<kIndices...>) {
    return ToKernelResult(kHandler(FromWord<Arguments>(words[kIndices])...));
  }
};

}  // namespace internal

template <auto kHandler>
inline constexpr Trampoline kTrampoline = &internal::Adapter<kHandler, decltype(kHandler)>::Call;

}  // namespace nsgx::shim
