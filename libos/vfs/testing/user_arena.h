// SPDX-License-Identifier: Apache-2.0
// The program's memory in a test. What lies outside, or on a page that was taken away, is EFAULT,
// and the sanitizer sees to it that nothing else of the test is touched by way of a program's
// pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nsgx::libos::testing {

// Memory of the program until the end of the test, aligned to 16.
std::span<std::byte> AllocateUser(size_t size);
// The same, page-aligned.
std::span<std::byte> AllocateUserPages(size_t count);
// Accesses to the page at `address` fault from now on.
void TakeUserPageAway(uint64_t address);
// Called with each address range that is copied, before it is; may be empty.
using AccessHook = void (*)(uint64_t address, size_t size);
void SetUserAccessHook(AccessHook hook);

// Everything is given back.
void ResetUserArena();

inline uint64_t AddressOf(std::span<const std::byte> memory) {
  return reinterpret_cast<uint64_t>(memory.data());
}
inline uint64_t AddressOf(std::span<std::byte> memory) {
  return reinterpret_cast<uint64_t>(memory.data());
}
template <typename T>
uint64_t AddressOf(const T& object) {
  return reinterpret_cast<uint64_t>(&object);
}

// An address that is not the program's.
inline constexpr uint64_t kBadAddress = 0xdead0000;

// A NUL-terminated string, or an object, in the program's memory.
uint64_t UserString(std::string_view text);
template <typename T>
T& NewUser(const T& value = {}) {
  return *new (AllocateUser(sizeof(T)).data()) T(value);
}
std::string TextOf(std::span<const std::byte> memory, size_t size);

}  // namespace nsgx::libos::testing
