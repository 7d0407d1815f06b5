// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/abi/snp.h"

namespace nsgx::firmware {

struct CpuidResult {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;

  friend bool operator==(const CpuidResult&, const CpuidResult&) = default;
};

// What CPUID says to SNP guests: the processor below, with what the machine adds and what it must
// hide. One truth for the CPUID page, the CPUID requests of both GHCB protocols, and a guest that
// the monitor answers directly:
//
//   constinit GuestCpuid cpuid(NativeCpuid, 47);
//   cpuid.WritePage(page);                                 // each page of kind CPUID
//   response = uint64_t{cpuid.Register(leaf, index)} << 32 | ...;   // GHCB_MSR_CPUID_REQUEST
//   const CpuidResult result = cpuid.Find(eax, ecx);       // SNP_EXIT_CPUID
//
// A leaf that is not in the page is all zeros, as Linux reads it.
class GuestCpuid {
 public:
  using Source = CpuidResult (*)(uint32_t leaf, uint32_t subleaf);

  // `native` asks the processor; `encryption_bit` is the C-bit's position in page-table entries.
  constexpr GuestCpuid(Source native, unsigned encryption_bit)
      : native_(native), encryption_bit_(encryption_bit) {}

  // From now on there is INVLPGB, for up to kMaxBroadcast pages after the first. Machines with one
  // processor do without.
  static constexpr uint32_t kMaxBroadcast = 7;
  void ShowBroadcast() { has_broadcast_ = true; }

  CpuidResult Find(uint32_t leaf, uint32_t subleaf) const;
  // Register `index` of subleaf 0: 0 eax, 1 ebx, 2 ecx, 3 edx.
  uint32_t Register(uint32_t leaf, unsigned index) const;

  void WritePage(snp_cpuid_page& page) const;

 private:
  CpuidResult Adjusted(uint32_t leaf, uint32_t subleaf) const;

  Source native_;
  unsigned encryption_bit_;
  bool has_broadcast_ = false;
};

// Executes CPUID.
CpuidResult NativeCpuid(uint32_t leaf, uint32_t subleaf);

}  // namespace nsgx::firmware
