// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/spinlock.h"
#include "base/crypto/drbg.h"
#include "base/crypto/entropy.h"
#include "vmpl-switch/snp/services.h"

namespace nsgx::snp {

// A generator seeded by RDSEED and RDRAND, whose presence the CPUID page vouches for.
class ProcessorRandom final : public Random {
 public:
  constexpr ProcessorRandom() = default;

  // Errors: kEntropyFailure  the processor gives nothing that looks random.
  Result<void> Start() EXCLUDES(lock_);

  Result<void> Fill(std::span<std::byte> out) override EXCLUDES(lock_);

 private:
  SpinLock lock_;
  HardwareEntropy entropy_ GUARDED_BY(lock_);
  Drbg drbg_ GUARDED_BY(lock_);
};

}  // namespace nsgx::snp
