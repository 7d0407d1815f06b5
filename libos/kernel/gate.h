// SPDX-License-Identifier: Apache-2.0
// What the library OS asks of the SEH itself, without an exit: pages, random bytes, the clock,
// reports, keys. Answers come from the SEH and are trusted as it is. gate.cc implements it through
// slot.gate; unit tests implement it in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/abi/report.h"

namespace nsgx::libos::gate {

// Rights of pages. The SEH refuses write together with execute, so that combination has no name.
enum class Rights : uint32_t {
  kNone = 0,
  kRead = NSGX_PERMISSION_READ,
  kReadWrite = NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE,
  kReadExecute = NSGX_PERMISSION_READ | NSGX_PERMISSION_EXECUTE,
};

// Addresses and sizes are multiples of the page size and lie in the enclave's range.
//
// Commit makes pages usable that were not, zero at first touch. Errors: kNoMemory,
// kAlreadyExists; nothing is changed then.
Result<void> Commit(uint64_t address, uint64_t size, Rights rights);
// Changes rights of committed pages. Errors: kBadState (some page is not committed),
// kPermissionDenied (image pages: more rights than they had), kNoMemory; the first of them may have
// been changed then.
Result<void> Protect(uint64_t address, uint64_t size, Rights rights);
// Scrubs committed pages and gives them back. Errors: kNoMemory; all are committed then, some of
// them scrubbed, readable and writable.
Result<void> Trim(uint64_t address, uint64_t size);

// Fills `out` from the SEH's random source. Errors: kEntropyFailure.
Result<void> Entropy(std::span<std::byte> out);
// Errors: kUnsupported (this machine knows no clock).
Result<void> Clock(nsgx_clock* clock);

// Tells the SEH where exceptions and raw system calls enter. Once.
Result<void> SetHandlers(void (*exception_entry)(), void (*raw_syscall_entry)());

// Attestation and sealing, see vmpl-switch/abi/report.h. All structures lie in memory of the
// library OS.
//
// Errors: kEntropyFailure, kNoMemory, or what the machine's hardware report says.
Result<void> MakeReport(const nsgx_report_request* request, nsgx_report* report);
// Errors: kBadTag (not made for this enclave, or not by this SEH).
Result<void> VerifyReport(const nsgx_report* report);
// Errors: kInvalidArgument (policy), kPermissionDenied (a security version above the own one),
// kUnsupported.
Result<void> DeriveKey(const nsgx_key_request* request, std::span<std::byte, 32> key);
// Errors: as MakeReport.
Result<void> MakeEvidence(std::span<const std::byte, 64> report_data, nsgx_evidence_core* evidence);

}  // namespace nsgx::libos::gate
