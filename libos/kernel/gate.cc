// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/gate.h"

#include <algorithm>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/kernel/cpu.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos::gate {
namespace {

constexpr size_t kMaxEntropy = 256;

int64_t Call(uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2) {
  using Gate = int64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
  return reinterpret_cast<Gate>(ThisSlot().gate)(call, a0, a1, a2, 0, 0);
}

Result<void> CallForStatus(uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2) {
  const int64_t result = Call(call, a0, a1, a2);
  if (result < 0) {
    return Error(static_cast<Status>(-result));
  }
  return {};
}

// A call that changes pages, as often as the SEH's limit wants. Adds to `done` the bytes of those
// that did not fail. Whole aligned pieces cost the SEH no table of their own.
Result<void> CallInPieces(uint64_t call, uint64_t address, uint64_t size, uint64_t rights,
                          uint64_t* done) {
  do {
    constexpr uint64_t kPiece = NSGX_GATE_MAX_PAGES * kPageSize;
    const uint64_t part = std::min(size, kPiece - address % kPiece);
    TRY(CallForStatus(call, address, part, rights));
    if (done != nullptr) {
      *done += part;
    }
    address += part;
    size -= part;
  } while (size != 0);
  return {};
}

uint64_t AddressOf(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

}  // namespace

Result<void> Commit(uint64_t address, uint64_t size, Rights rights) {
  uint64_t done = 0;
  Result<void> result =
      CallInPieces(NSGX_GATE_COMMIT, address, size, static_cast<uint64_t>(rights), &done);
  if (!result.ok() && done != 0) {
    CHECK(CallInPieces(NSGX_GATE_TRIM, address, done, 0, nullptr).ok());
  }
  return result;
}

Result<void> Protect(uint64_t address, uint64_t size, Rights rights) {
  return CallInPieces(NSGX_GATE_PROTECT, address, size, static_cast<uint64_t>(rights), nullptr);
}

Result<void> Trim(uint64_t address, uint64_t size) {
  uint64_t done = 0;
  Result<void> result = CallInPieces(NSGX_GATE_TRIM, address, size, 0, &done);
  if (!result.ok() && done != 0) {
    CHECK(CallInPieces(NSGX_GATE_COMMIT, address, done, static_cast<uint64_t>(Rights::kReadWrite),
                       nullptr)
              .ok());
  }
  return result;
}

Result<void> Entropy(std::span<std::byte> out) {
  while (!out.empty()) {
    const size_t part = out.size() < kMaxEntropy ? out.size() : kMaxEntropy;
    TRY(CallForStatus(NSGX_GATE_ENTROPY, AddressOf(out.data()), part, 0));
    out = out.subspan(part);
  }
  return {};
}

Result<void> Clock(nsgx_clock* clock) {
  return CallForStatus(NSGX_GATE_CLOCK, AddressOf(clock), 0, 0);
}

Result<void> SetHandlers(void (*exception_entry)(), void (*raw_syscall_entry)()) {
  return CallForStatus(NSGX_GATE_SET_HANDLER, reinterpret_cast<uint64_t>(exception_entry),
                       reinterpret_cast<uint64_t>(raw_syscall_entry), 0);
}

Result<void> MakeReport(const nsgx_report_request* request, nsgx_report* report) {
  return CallForStatus(NSGX_GATE_REPORT, AddressOf(request), AddressOf(report), 0);
}

Result<void> VerifyReport(const nsgx_report* report) {
  return CallForStatus(NSGX_GATE_VERIFY, AddressOf(report), 0, 0);
}

Result<void> DeriveKey(const nsgx_key_request* request, std::span<std::byte, 32> key) {
  return CallForStatus(NSGX_GATE_KEY, AddressOf(request), AddressOf(key.data()), 0);
}

Result<void> MakeEvidence(std::span<const std::byte, 64> report_data,
                          nsgx_evidence_core* evidence) {
  return CallForStatus(NSGX_GATE_EVIDENCE, AddressOf(report_data.data()), AddressOf(evidence), 0);
}

}  // namespace nsgx::libos::gate
