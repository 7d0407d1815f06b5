// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/rmp.h"

namespace nsgx::snp {

// The processor's RMP instructions, through the SEH's direct map.
class RmpHardware final : public Rmp {
 public:
  constexpr explicit RmpHardware(const DirectMap& memory) : memory_(memory) {}

  // `has_broadcast`: the processor has INVLPGB and the guest may use it.
  void Initialize(bool has_broadcast) { has_broadcast_ = has_broadcast; }

  ValidateResult Validate(GuestPhys page, SnpPageSize size, bool validate) override;
  uint32_t Adjust(GuestPhys page, SnpPageSize size, uint8_t vmpl, uint32_t rights,
                  bool is_vmsa) override;
  void FlushTranslations() override;
  bool has_broadcast() const { return has_broadcast_; }

 private:
  const DirectMap& memory_;
  bool has_broadcast_ = false;
};

}  // namespace nsgx::snp
