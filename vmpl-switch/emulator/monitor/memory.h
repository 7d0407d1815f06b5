// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "base/core/untrusted.h"

namespace nsgx::emu {

inline constexpr unsigned kVmpls = 4;
inline constexpr unsigned kMaxProcessors = 8;

// Position of the C-bit. QEMU's nested tables show bits up to 47, no higher.
inline constexpr unsigned kEncryptionBitNumber = 47;
inline constexpr uint64_t kEncryptionBit = uint64_t{1} << kEncryptionBitNumber;

// The machine's RAM: guests have what is below kGuestEnd, the monitor the rest.
inline constexpr uint64_t kRamSize = uint64_t{1} << 30;
inline constexpr GuestPhys kGuestEnd{0x3c000000};
// What is no RAM in between: video memory. The firmware's ROM behind it is RAM for guests, as Linux
// expects of a machine without UEFI.
inline constexpr GuestPhys kHoleBegin{0xa0000};
inline constexpr GuestPhys kHoleEnd{0xc0000};

// The number of a page of guest-physical memory.
using Page = uint64_t;
constexpr Page PageOf(GuestPhys address) { return address.raw() >> kPageShift; }
constexpr GuestPhys AddressOf(Page page) { return GuestPhys(page << kPageShift); }

// The RAM that guests have, as the monitor sees it. Says nothing about who may reach a page: that
// is the RMP's affair.
class GuestMemory {
 public:
  // `origin`: where the RAM's first byte is in our own space. Requires: `size` bytes are there.
  constexpr GuestMemory(uintptr_t origin, uint64_t size) : origin_(origin), size_(size) {}

  Page pages() const { return size_ >> kPageShift; }
  bool IsRam(Page page) const {
    return page < pages() && (page < PageOf(kHoleBegin) || page >= PageOf(kHoleEnd));
  }

  // Requires: IsRam(page).
  std::byte* At(Page page) const {
    CHECK(IsRam(page));
    return reinterpret_cast<std::byte*>(origin_ + (page << kPageShift));
  }
  std::span<std::byte, kPageSize> Bytes(Page page) const {
    return std::span<std::byte, kPageSize>(At(page), kPageSize);
  }

 private:
  uintptr_t origin_;
  uint64_t size_;
};

}  // namespace nsgx::emu
