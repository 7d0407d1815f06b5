// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"

namespace nsgx::snp {

// The processor's own way to the host.
class VmgExitGate final : public HostGate {
 public:
  uint64_t Leave(uint64_t request) override { return VmgExitWithMsr(request); }
};

}  // namespace nsgx::snp
