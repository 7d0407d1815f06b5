// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/extended_state.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/core/mem_raw.h"

namespace nsgx::snp {
namespace {

constexpr uint32_t kXsaveFeature = 1 << 26;  // CPUID 1 ecx
constexpr uint32_t kXsaveLeaf = 0xd;
constexpr uint64_t kLegacy = 3;
constexpr unsigned kAvx = 2;
constexpr unsigned kFirstAvx512 = 5;
constexpr unsigned kLastAvx512 = 7;
constexpr uint64_t kAvx512 = uint64_t{7} << kFirstAvx512;
constexpr uint32_t kLegacySize = 576;

constexpr size_t kMxcsrOffset = 24;
constexpr size_t kFxsaveSize = 512;
constexpr size_t kComponentsOffset = 512;
constexpr uint64_t kX87 = 1;

}  // namespace

ExtendedState ExtendedState::Of(const CpuidTable& cpuid) {
  ExtendedState state;
  if ((cpuid.Find(1, 0).ecx & kXsaveFeature) == 0) {
    return state;
  }
  const uint64_t offered = cpuid.Find(kXsaveLeaf, 0).eax;
  state.components = kLegacy | (offered & uint64_t{1} << kAvx);
  if (state.components != kLegacy && (offered & kAvx512) == kAvx512) {
    state.components |= kAvx512;
  }
  state.size = kLegacySize;
  for (unsigned component = kAvx; component <= kLastAvx512; ++component) {
    if ((state.components >> component & 1) == 0) {
      continue;
    }
    const CpuidAnswer where = cpuid.Find(kXsaveLeaf, component);
    const uint64_t end = uint64_t{where.ebx} + where.eax;
    if (where.eax == 0 || end > kMaxExtendedSize) {
      // Nothing that a processor would say; x87 and SSE need no word of it.
      return {.components = kLegacy, .size = kLegacySize};
    }
    state.size = std::max(state.size, static_cast<uint32_t>(end));
  }
  return state;
}

void ResetExtended(std::span<std::byte> area, uint16_t fcw, uint32_t mxcsr) {
  FillOnce(area.data(), std::byte{0}, area.size());
  __builtin_memcpy(area.data(), &fcw, sizeof(fcw));
  __builtin_memcpy(area.data() + kMxcsrOffset, &mxcsr, sizeof(mxcsr));
  if (area.size() > kFxsaveSize) {
    // x87 from the area, because of its control word; the rest is initial. MXCSR is always read.
    __builtin_memcpy(area.data() + kComponentsOffset, &kX87, sizeof(kX87));
  }
}

uint16_t FcwOf(std::span<const std::byte> area) {
  uint16_t fcw;
  __builtin_memcpy(&fcw, area.data(), sizeof(fcw));
  return fcw;
}

uint32_t MxcsrOf(std::span<const std::byte> area) {
  uint32_t mxcsr;
  __builtin_memcpy(&mxcsr, area.data() + kMxcsrOffset, sizeof(mxcsr));
  return mxcsr;
}

}  // namespace nsgx::snp
