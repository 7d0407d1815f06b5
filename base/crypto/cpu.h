// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace nsgx {

// Instructions that the crypto code uses when they are there.
struct CpuFeatures {
  bool sha_ni;  // SHA extensions, SSSE3 and SSE4.1
  bool aes_ni;  // AES-NI, PCLMULQDQ, SSSE3 and SSE4.1
  bool rdrand;
  bool rdseed;
};

// Returns what CPUID says. Asked once and remembered, for CPUID leaves the virtual machine.
//
// Trust: on SNP the answer comes from the measured CPUID page; elsewhere from the host. A lie can
//        take an instruction away or make it fault; it cannot make a result wrong.
CpuFeatures DetectCpuFeatures();

}  // namespace nsgx
