// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/cpu.h"

#include <cpuid.h>

#include <cstdint>

namespace nsgx {
namespace {

// Bits of CPUID, AMD64 Architecture Programmer's Manual volume 3, appendix E.3.
constexpr uint32_t kLeaf1EcxPclmulqdq = 1u << 1;
constexpr uint32_t kLeaf1EcxSsse3 = 1u << 9;
constexpr uint32_t kLeaf1EcxSse41 = 1u << 19;
constexpr uint32_t kLeaf1EcxAes = 1u << 25;
constexpr uint32_t kLeaf1EcxRdrand = 1u << 30;
constexpr uint32_t kLeaf7EbxRdseed = 1u << 18;
constexpr uint32_t kLeaf7EbxSha = 1u << 29;

constexpr uint32_t kKnown = 1u << 0;
constexpr uint32_t kShaNi = 1u << 1;
constexpr uint32_t kAesNi = 1u << 2;
constexpr uint32_t kRdrand = 1u << 3;
constexpr uint32_t kRdseed = 1u << 4;

// Written by whoever asks first; two who ask at once write the same.
constinit uint32_t known_features = 0;

uint32_t AskCpu() {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
  __cpuid(0, eax, ebx, ecx, edx);
  const uint32_t last_leaf = eax;
  __cpuid(1, eax, ebx, ecx, edx);
  const uint32_t leaf1_ecx = ecx;
  uint32_t leaf7_ebx = 0;
  if (last_leaf >= 7) {
    __cpuid_count(7, 0, eax, ebx, ecx, edx);
    leaf7_ebx = ebx;
  }
  constexpr uint32_t kShuffles = kLeaf1EcxSsse3 | kLeaf1EcxSse41;
  constexpr uint32_t kAesAndMultiply = kLeaf1EcxAes | kLeaf1EcxPclmulqdq | kShuffles;
  uint32_t features = kKnown;
  if ((leaf1_ecx & kShuffles) == kShuffles && (leaf7_ebx & kLeaf7EbxSha) != 0) {
    features |= kShaNi;
  }
  if ((leaf1_ecx & kAesAndMultiply) == kAesAndMultiply) {
    features |= kAesNi;
  }
  if ((leaf1_ecx & kLeaf1EcxRdrand) != 0) {
    features |= kRdrand;
  }
  if ((leaf7_ebx & kLeaf7EbxRdseed) != 0) {
    features |= kRdseed;
  }
  return features;
}

}  // namespace

CpuFeatures DetectCpuFeatures() {
  uint32_t features = __atomic_load_n(&known_features, __ATOMIC_RELAXED);
  if (features == 0) [[unlikely]] {
    features = AskCpu();
    __atomic_store_n(&known_features, features, __ATOMIC_RELAXED);
  }
  return {
      .sha_ni = (features & kShaNi) != 0,
      .aes_ni = (features & kAesNi) != 0,
      .rdrand = (features & kRdrand) != 0,
      .rdseed = (features & kRdseed) != 0,
  };
}

}  // namespace nsgx
