// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/random.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/core/bytes.h"
#include "base/core/spinlock.h"
#include "base/crypto/drbg.h"
#include "base/crypto/entropy.h"
#include "base/crypto/secure_zero.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/gate.h"
#include "libos/kernel/panic.h"

namespace nsgx::libos {
namespace {

// What the SEH gives, mixed with what the processor gives where it has something: either alone is
// enough.
class EnclaveEntropy final : public EntropySource {
 public:
  constexpr EnclaveEntropy() = default;
  Result<void> Fill(std::span<std::byte> seed) override {
    TRY(gate::Entropy(seed));
    std::array<std::byte, Drbg::kSeedSize> own;
    const std::span<std::byte> part = std::span(own).first(std::min(seed.size(), own.size()));
    if (hardware_.Fill(part).ok()) {
      for (size_t i = 0; i < part.size(); ++i) {
        seed[i] ^= part[i];
      }
    }
    SecureZero(own);
    return {};
  }

 private:
  HardwareEntropy hardware_;
};

constinit SpinLock lock;
[[clang::no_destroy]] constinit EnclaveEntropy entropy;
[[clang::no_destroy]] constinit Drbg generator GUARDED_BY(lock);

void Generate(std::span<std::byte> out) {
  SpinLockGuard guard(lock);
  if (!generator.Generate(out).ok()) {
    Panic("the random source failed");
  }
}

}  // namespace

bool InitRandom(std::span<const std::byte> boot_seed) {
  SpinLockGuard guard(lock);
  return generator.Seed(entropy, boot_seed).ok();
}

void FillRandom(std::span<std::byte> out) {
  auto& buffer = ThisCpu().random;
  if (out.size() > sizeof(buffer.bytes) / 2) {
    Generate(out);
    return;
  }
  // Small requests come from bytes made in advance. What was handed out is forgotten.
  if (sizeof(buffer.bytes) - buffer.used < out.size()) {
    Generate(std::as_writable_bytes(std::span(buffer.bytes)));
    buffer.used = 0;
  }
  memcpy(out.data(), buffer.bytes + buffer.used, out.size());
  memset(buffer.bytes + buffer.used, 0, out.size());
  buffer.used += static_cast<uint32_t>(out.size());
}

}  // namespace nsgx::libos
