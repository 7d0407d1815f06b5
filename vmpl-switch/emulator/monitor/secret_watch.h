// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/rmp.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

// Looks for what test enclaves hold: a secret in memory (tests/hostile/snp/canary.cc), and words in
// registers (tests/hostile/host/registers.cc).
class SecretWatch {
 public:
  constexpr SecretWatch(const GuestMemory& memory, const Rmp& rmp) : memory_(memory), rmp_(rmp) {}

  // Pages with the secret: those that a host or a VMPL below VMPL0 can read, and all others.
  struct Pages {
    uint64_t visible = 0;
    uint64_t hidden = 0;
  };
  Pages Search() const;

  // VMPL0 hands over: neither what it leaves in its registers nor what `to` finds may be an
  // enclave's.
  void CheckSwitch(const VmplContext& from, const VmplContext& to);

  // Writes counts to the log.
  void Report() const;

 private:
  bool IsVisible(Page page) const;

  const GuestMemory& memory_;
  const Rmp& rmp_;
  uint64_t checked_ = 0;
  uint64_t left_by_vmpl0_ = 0;
  uint64_t not_initial_ = 0;
  uint64_t found_below_ = 0;
};

}  // namespace nsgx::emu
