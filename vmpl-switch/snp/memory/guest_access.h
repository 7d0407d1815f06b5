// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/bytes.h"
#include "base/core/result.h"
#include "base/core/untrusted.h"
#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/guest_pages.h"

namespace nsgx::snp {

// The guest's memory, for reading arguments and writing results. Every address is the guest's word
// and is checked against GuestPages each time; what lies there may change at any moment, so it is
// copied once.
//
// Errors of all: as GuestPages::CheckGuestBytes.
class GuestAccess {
 public:
  // Requires: both live longer.
  constexpr GuestAccess(const DirectMap& memory, const GuestPages& pages)
      : memory_(memory), pages_(pages) {}

  // Returns a view of bytes within one page, valid as long as the page is the guest's: for the time
  // of one call.
  Result<UntrustedBytes> View(GuestPhys start, uint64_t size) const {
    TRY(pages_.CheckGuestBytes(start, size));
    return UntrustedBytes(memory_.At(start), static_cast<size_t>(size));
  }

  Result<void> CopyIn(GuestPhys start, std::span<std::byte> target) const {
    return TRY(View(start, target.size())).CopyIn(0, target);
  }
  Result<void> CopyOut(GuestPhys start, std::span<const std::byte> source) const {
    return TRY(View(start, source.size())).CopyOut(0, source);
  }

  // Requires nothing of the address but what CheckGuestBytes asks; it need not be aligned.
  template <PlainBytes T>
  Result<T> ReadObject(GuestPhys start) const {
    T object;
    TRY(CopyIn(start, MutableBytesOf(object)));
    return object;
  }
  template <PlainBytes T>
  Result<void> WriteObject(GuestPhys start, const T& object) const {
    return CopyOut(start, BytesOf(object));
  }

 private:
  const DirectMap& memory_;
  const GuestPages& pages_;
};

}  // namespace nsgx::snp
