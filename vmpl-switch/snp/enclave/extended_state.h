// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vmpl-switch/snp/cpu/cpuid.h"

namespace nsgx::snp {

// Which x87 and vector state enclaves have, and how much memory it takes: an XSAVE area in the
// standard format, or without XSAVE what FXSAVE writes.
struct ExtendedState {
  uint64_t components = 0;  // of XCR0; 0: no XSAVE
  uint32_t size = 512;

  // x87, SSE, AVX and AVX-512, as far as the processor has them.
  static ExtendedState Of(const CpuidTable& cpuid);
};

inline constexpr size_t kMaxExtendedSize = 2752;

inline constexpr uint16_t kInitialFcw = 0x37f;
inline constexpr uint32_t kInitialMxcsr = 0x1f80;

// Makes `area` such that loading it gives all registers their initial value but for these two.
void ResetExtended(std::span<std::byte> area, uint16_t fcw, uint32_t mxcsr);

uint16_t FcwOf(std::span<const std::byte> area);
uint32_t MxcsrOf(std::span<const std::byte> area);

}  // namespace nsgx::snp
