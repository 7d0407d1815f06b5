// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/snp/cpu/ghcb.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// The TSC at the rate that the host says, or shows: by a leaf of the CPUID page, or else by its
// timer. Time is the host's in either case.
class ProcessorClock final : public TscClock {
 public:
  constexpr ProcessorClock() = default;

  // Finds out the rate; takes 25 ms if the host has to show it.
  void Start(Ghcb& ghcb, const CpuidTable& cpuid);

  uint64_t khz() const override { return khz_; }
  nsgx_clock Conversion() const override;

 private:
  uint64_t khz_ = 0;
  uint64_t start_ = 0;
  uint64_t multiplier_ = 0;  // ns per tick, 32.32
};

}  // namespace nsgx::snp
