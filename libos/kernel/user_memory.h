// SPDX-License-Identifier: Apache-2.0
// Access to memory that the program named by a pointer. Program and library OS share one enclave,
// so this is no trust boundary; it keeps a wild pointer from becoming a crash of the library OS: it
// is EFAULT, as on Linux, and a pointer out of the enclave's range (to the host's memory!) is
// EFAULT too, whatever lies there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "libos/kernel/errno.h"

namespace nsgx::libos {

// A pointer given by the program, not yet looked at. Handlers take these instead of raw pointers.
template <typename T>
class UserIn {
 public:
  constexpr explicit UserIn(uint64_t address) : address_(address) {}
  constexpr uint64_t address() const { return address_; }
  constexpr bool is_null() const { return address_ == 0; }

 private:
  uint64_t address_;
};

template <typename T>
class UserOut {
 public:
  constexpr explicit UserOut(uint64_t address) : address_(address) {}
  constexpr uint64_t address() const { return address_; }
  constexpr bool is_null() const { return address_ == 0; }

 private:
  uint64_t address_;
};

// Copies between library OS and program; a fault on the program's side ends the copy with EFAULT (a
// part may be copied).
Result<void, Errno> CopyFromUser(std::span<std::byte> to, uint64_t from);
Result<void, Errno> CopyToUser(uint64_t to, std::span<const std::byte> from);
Result<void, Errno> ZeroUser(uint64_t to, size_t size);

// One aligned word of the program's, as other threads change it. The second writes `wanted` if the
// word is `expected`, in one step; both return what was there.
Result<uint32_t, Errno> LoadUser32(uint64_t address);
Result<uint32_t, Errno> CompareExchangeUser32(uint64_t address, uint32_t expected, uint32_t wanted);

// Copies a NUL-terminated string of at most out.size() - 1 bytes; ENAMETOOLONG when it is longer.
// Returns its length.
Result<size_t, Errno> CopyStringFromUser(std::span<char> out, uint64_t from);

template <typename T>
Result<T, Errno> Read(UserIn<T> pointer, size_t index = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  auto copied = CopyFromUser(std::as_writable_bytes(std::span(&value, 1)),
                             pointer.address() + index * sizeof(T));
  if (!copied.ok()) {
    return Error(copied.error());
  }
  return value;
}

template <typename T>
Result<void, Errno> Write(UserOut<T> pointer, const T& value, size_t index = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  return CopyToUser(pointer.address() + index * sizeof(T), std::as_bytes(std::span(&value, 1)));
}

}  // namespace nsgx::libos
