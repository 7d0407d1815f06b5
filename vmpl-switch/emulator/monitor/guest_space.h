// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/emulator/monitor/rmp.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

// An address as a guest's instructions use it.
using GuestVirt = Addr<struct GuestVirtTag>;

// Why the processor could not do what the guest wanted.
struct SpaceFault {
  enum class Kind : uint8_t {
    kPageFault,    // of the guest's own tables: `error_code`
    kRmp,          // `rmp` says why; `page`
    kUnsupported,  // 32-bit paging, which no SNP guest can use to reach shared memory
  };
  Kind kind;
  uint32_t error_code = 0;
  RmpFault rmp = RmpFault::kNone;
  Page page = 0;
};

struct Translation {
  GuestPhys address;  // without the C-bit
  bool is_private = true;
  bool can_write = true;
};

// The address space of what runs at one VMPL, walked by software with the checks of the
// processor's: page tables are read as private memory of this VMPL.
class GuestSpace {
 public:
  GuestSpace(const GuestMemory& memory, Rmp& rmp, unsigned vmpl, const VmcbSave& state)
      : memory_(memory), rmp_(rmp), vmpl_(vmpl), state_(state) {}

  bool is_paging() const { return (state_.cr0 & kCr0Paging) != 0; }

  // Translates; `kind` and `is_user` are what the tables must allow. The RMP has no say in the
  // result.
  Result<Translation, SpaceFault> Translate(GuestVirt address, AccessKind kind, bool is_user) const;

  // Moves bytes as an access of ring 0 would, across pages. A fault may come after some bytes have
  // moved.
  Result<void, SpaceFault> Read(GuestVirt address, std::span<std::byte> bytes) const;
  Result<void, SpaceFault> Write(GuestVirt address, std::span<const std::byte> bytes) const;
  // Returns how many bytes of instructions could be read.
  size_t Fetch(GuestVirt address, std::span<std::byte> bytes) const;

 private:
  Result<std::byte*, SpaceFault> Access(GuestVirt address, AccessKind kind) const;

  const GuestMemory& memory_;
  Rmp& rmp_;
  unsigned vmpl_;
  const VmcbSave& state_;
};

}  // namespace nsgx::emu
