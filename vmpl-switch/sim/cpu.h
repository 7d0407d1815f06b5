// SPDX-License-Identifier: Apache-2.0
// What this processor and kernel offer to the machine.
#pragma once

#include <cstdint>

#include "base/core/result.h"

namespace nsgx::sim {

// How much vector state there is to scrub.
enum class VectorLevel { kSse, kAvx, kAvx512 };

struct Cpu {
  VectorLevel vectors;
  bool has_keys;         // the kernel has switched protection keys on
  uint32_t pkru_offset;  // of PKRU in an XSAVE area; 0 without keys
  uint64_t xcr0;         // components that an enclave may use: x87, SSE, AVX, AVX-512; 0: no XSAVE
  uint32_t xsave_size;   // bytes of an XSAVE area with all of these; without XSAVE of FXSAVE's
  uint64_t stated_tsc_khz;  // by processor or hypervisor; 0: neither says
};

// Errors: kUnsupported  no FSGSBASE in ring 3 (processor, or Linux before 5.9), or a kind of
// AVX-512
//                       that this machine cannot scrub; a line in the log says which.
Result<Cpu> DetectCpu();

}  // namespace nsgx::sim
