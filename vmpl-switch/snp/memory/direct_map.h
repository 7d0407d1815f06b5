// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/addr.h"
#include "base/core/check.h"

namespace nsgx::snp {

// The SEH's own view of all guest-physical memory, private (C=1): every byte at a constant distance
// from its guest-physical address. In the image that is a part of the upper half; tests give it an
// array.
//
// A pointer says nothing about whom the page belongs to. Touching one that is not validated is
// answered by the processor with #VC, and by us with the end of the machine: ask GuestPages first.
class DirectMap {
 public:
  constexpr DirectMap() = default;
  // Requires: `base` maps [0, size) of guest-physical memory.
  constexpr DirectMap(std::byte* base, uint64_t size) : base_(base), size_(size) {}

  constexpr uint64_t size() const { return size_; }

  // Requires: the address is below size().
  std::byte* At(GuestPhys address) const {
    CHECK(address.raw() < size_);
    return base_ + address.raw();
  }

  template <typename T>
  T* ObjectAt(GuestPhys address) const {
    CHECK(IsAligned(address, alignof(T)));
    return reinterpret_cast<T*>(At(address));
  }

  // Requires: `pointer` came from At.
  GuestPhys AddressOf(const void* pointer) const {
    const uint64_t offset = static_cast<uint64_t>(static_cast<const std::byte*>(pointer) - base_);
    CHECK(offset < size_);
    return GuestPhys(offset);
  }

 private:
  std::byte* base_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace nsgx::snp
