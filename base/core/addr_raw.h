// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/addr.h"

// The only crossing between addresses and pointers. In a file of its own, and named `_raw`, so
// that an include of it shows where a program decides that it may touch an address.
namespace nsgx {

// Returns the address of `pointer` in the space in which this program itself runs.
template <typename Address>
Address AddressOf(const volatile void* pointer) {
  return Address(reinterpret_cast<uintptr_t>(pointer));
}

// Returns a pointer to a T at `address`.
//
// Requires: the program runs in the space named by Tag, or that space is mapped into it at the
//           same addresses; the memory is the caller's to use, and suitably aligned for T.
template <typename T, typename Tag>
T* PointerTo(Addr<Tag> address) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(address.raw()));
}

}  // namespace nsgx
