// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/cpu/instructions_raw.h"

namespace nsgx::snp {

// The processor's own way to the host.
class VmgExitGate final : public HostGate {
 public:
  uint64_t Leave(uint64_t request) override { return held_ = VmgExitWithMsr(request); }

  // The host writes the MSR only when it answers, so what it held stays.
  void Prepare(uint64_t request) override {
    if (held_ != request) {
      WriteMsr(SNP_MSR_GHCB, request);
      held_ = request;
    }
  }

 private:
  uint64_t held_ = 0;
};

}  // namespace nsgx::snp
