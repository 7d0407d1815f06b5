// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/addr.h"
#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/launch/fw_cfg.h"

namespace nsgx::snp {

// fw_cfg's DMA interface through pages that the host sees.
class FwCfgDma final : public FwCfgPort {
 public:
  // Requires: `buffer` maps kPages shared pages at `address`.
  static constexpr uint64_t kPages = 1 + kMaxTransfer / kPageSize;
  FwCfgDma(Ghcb& ghcb, volatile std::byte* buffer, GuestPhys address)
      : ghcb_(ghcb), buffer_(buffer), address_(address) {}

  Result<void> Transfer(uint32_t control, std::span<std::byte> data) override;

 private:
  Ghcb& ghcb_;
  volatile std::byte* buffer_;
  GuestPhys address_;
};

}  // namespace nsgx::snp
