// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/random.h"

#include "base/core/bytes.h"

namespace nsgx::snp {

Result<void> ProcessorRandom::Start() {
  SpinLockGuard guard(lock_);
  return drbg_.Seed(entropy_, BytesOf("NSGX SEH at VMPL0"));
}

Result<void> ProcessorRandom::Fill(std::span<std::byte> out) {
  SpinLockGuard guard(lock_);
  return drbg_.Generate(out);
}

}  // namespace nsgx::snp
