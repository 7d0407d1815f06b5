// SPDX-License-Identifier: Apache-2.0
// The calls behind <nsgx/attest.h>, as system calls are: with pointers of the program that nobody
// has looked at yet. They run in a thread of the program with ticks off.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "vmpl-switch/abi/report.h"

namespace nsgx::libos {

struct ReportData {
  uint8_t bytes[64];
};
struct Bytes32 {
  uint8_t bytes[32];
};

// The errors are those of <nsgx/attest.h>. Those that the SEH reports mean the same whichever call
// it was.

SysResult SysAttestEvidence(UserIn<ReportData> report_data, UserOut<std::byte> out,
                            uint64_t capacity, UserOut<uint64_t> size);
SysResult SysAttestReport(UserIn<Bytes32> target, UserIn<ReportData> report_data,
                          UserOut<nsgx_report> report);
SysResult SysAttestVerify(UserIn<nsgx_report> report);
SysResult SysAttestKey(uint32_t policy, uint16_t svn, UserIn<Bytes32> key_id, UserOut<Bytes32> key);

}  // namespace nsgx::libos
