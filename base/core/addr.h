// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

#include "base/core/align.h"
#include "base/core/check.h"
#include "base/core/checked.h"

namespace nsgx {

inline constexpr uint64_t kPageShift = 12;
inline constexpr uint64_t kPageSize = uint64_t{1} << kPageShift;
inline constexpr uint64_t kPageMask = kPageSize - 1;
inline constexpr uint64_t kLargePageSize = uint64_t{2} << 20;

// A 64-bit address in the space named by Tag.
//
// Two spaces never mix: there is no conversion between tags, and none from or to a bare integer
// that is not written out (`Addr(raw)`, `raw()`). The type says where an address is meant, not
// that anything is mapped there or that the caller may touch it.
template <typename Tag>
class Addr {
 public:
  constexpr Addr() = default;
  constexpr explicit Addr(uint64_t raw) : raw_(raw) {}

  constexpr uint64_t raw() const { return raw_; }
  constexpr bool is_page_aligned() const { return (raw_ & kPageMask) == 0; }
  constexpr uint64_t page_offset() const { return raw_ & kPageMask; }

  // Returns the first address of the page that holds this one.
  constexpr Addr PageStart() const { return Addr(raw_ & ~kPageMask); }

  friend constexpr auto operator<=>(Addr, Addr) = default;

  // Arithmetic on trusted values: wrapping around is our bug. For values that somebody else chose
  // use CheckedAdd below.
  friend constexpr Addr operator+(Addr a, uint64_t size) {
    return Addr(CheckedAdd(a.raw_, size).value());
  }
  friend constexpr Addr operator-(Addr a, uint64_t size) {
    return Addr(CheckedSub(a.raw_, size).value());
  }
  constexpr Addr& operator+=(uint64_t size) { return *this = *this + size; }
  constexpr Addr& operator-=(uint64_t size) { return *this = *this - size; }

  // Returns the distance in bytes. Requires: b <= a.
  friend constexpr uint64_t operator-(Addr a, Addr b) { return CheckedSub(a.raw_, b.raw_).value(); }

 private:
  uint64_t raw_ = 0;
};

// Errors: kOutOfRange  the sum leaves the 64-bit space.
template <typename Tag>
constexpr Result<Addr<Tag>> CheckedAdd(Addr<Tag> address, uint64_t size) {
  return Addr<Tag>(TRY(CheckedAdd(address.raw(), size)));
}

template <typename Tag>
constexpr bool IsAligned(Addr<Tag> address, uint64_t alignment) {
  return IsAligned(address.raw(), alignment);
}

template <typename Tag>
constexpr Addr<Tag> AlignDown(Addr<Tag> address, uint64_t alignment) {
  return Addr<Tag>(AlignDown(address.raw(), alignment));
}

// Errors: kOutOfRange  the next multiple leaves the 64-bit space.
template <typename Tag>
constexpr Result<Addr<Tag>> CheckedAlignUp(Addr<Tag> address, uint64_t alignment) {
  return Addr<Tag>(TRY(CheckedAlignUp(address.raw(), alignment)));
}

using GuestPhys = Addr<struct GuestPhysTag>;      // what the RMP speaks of
using MonitorVirt = Addr<struct MonitorVirtTag>;  // the SEH's own space, VMPL0 ring 0
using EnclaveVirt = Addr<struct EnclaveVirtTag>;  // an enclave's space, VMPL0 ring 3
using KernelVirt = Addr<struct KernelVirtTag>;    // the untrusted guest kernel's space
using HostVirt = Addr<struct HostVirtTag>;        // an untrusted Linux process' space

}  // namespace nsgx
