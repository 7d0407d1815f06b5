// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/untrusted.h"
#include "vmpl-switch/emulator/monitor/rmp.h"

namespace nsgx::emu {

// A host's view of its guest's memory: shared pages, no others.
class SharedMemory {
 public:
  SharedMemory(const GuestMemory& memory, Rmp& rmp) : memory_(memory), rmp_(rmp) {}

  // Returns [address, address + size).
  //
  // Errors: kOutOfRange  it is not all shared RAM.
  Result<UntrustedBytes> At(uint64_t address, uint64_t size) const {
    if (size == 0 || address >= kRamSize || size > kRamSize) {
      return Error(Status::kOutOfRange);
    }
    const Page last = (address + size - 1) >> kPageShift;
    for (Page page = address >> kPageShift; page <= last; ++page) {
      if (rmp_.Check(page, 0, false, AccessKind::kWrite) != RmpFault::kNone) {
        return Error(Status::kOutOfRange);
      }
    }
    const Page first = address >> kPageShift;
    return UntrustedBytes(memory_.At(first) + (address & kPageMask), size);
  }

 private:
  const GuestMemory& memory_;
  Rmp& rmp_;
};

}  // namespace nsgx::emu
