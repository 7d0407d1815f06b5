// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"

namespace nsgx::snp {

// The instructions that the SEH, or an enclave, may be in when #VC comes.
enum class VcInstruction : uint8_t { kCpuid, kRdmsr, kWrmsr, kRdtsc, kRdtscp, kVmmcall };

struct DecodedVc {
  VcInstruction instruction;
  uint8_t size;  // bytes
};

// Decodes the instruction at the start of `bytes` and checks that it is one that raises #VC with
// `exit_code`. The host chooses when #VC comes and with which code; without this check it could
// make us emulate an instruction that was never there.
//
// Errors: kHostFault  it is none, or not that one.
Result<DecodedVc> DecodeVc(uint64_t exit_code, std::span<const std::byte> bytes);

}  // namespace nsgx::snp
