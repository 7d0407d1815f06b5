// SPDX-License-Identifier: Apache-2.0
// Calls of the enclave. Every number and address here is hostile.
#include <algorithm>

#include "base/core/align.h"
#include "base/core/bytes.h"
#include "base/core/scope_exit.h"
#include "base/crypto/secure_zero.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/seh/enclave.h"
#include "vmpl-switch/seh/page_rules.h"

namespace nsgx::seh {
namespace {

// What leaves the SEH are the numbers of abi/status.h; inside they have the names of base.
constexpr bool Is(int number, Status status) { return number == static_cast<int>(status); }
static_assert(Is(NSGX_OK, Status::kOk) && Is(NSGX_INVALID_ARGUMENT, Status::kInvalidArgument) &&
              Is(NSGX_BAD_STATE, Status::kBadState) && Is(NSGX_NO_MEMORY, Status::kNoMemory) &&
              Is(NSGX_NOT_FOUND, Status::kNotFound) &&
              Is(NSGX_PERMISSION_DENIED, Status::kPermissionDenied) &&
              Is(NSGX_ALREADY_EXISTS, Status::kAlreadyExists) && Is(NSGX_BUSY, Status::kBusy) &&
              Is(NSGX_OUT_OF_RANGE, Status::kOutOfRange) &&
              Is(NSGX_UNSUPPORTED, Status::kUnsupported) &&
              Is(NSGX_BAD_SIGNATURE, Status::kBadSignature) &&
              Is(NSGX_BAD_MEASUREMENT, Status::kBadMeasurement) &&
              Is(NSGX_MALFORMED, Status::kMalformed) &&
              Is(NSGX_ENTROPY_FAILURE, Status::kEntropyFailure) &&
              Is(NSGX_HOST_FAULT, Status::kHostFault) && Is(NSGX_INTERNAL, Status::kInternal) &&
              Is(NSGX_BAD_TAG, Status::kBadTag) && Is(NSGX_TIMED_OUT, Status::kTimedOut) &&
              Is(NSGX_INTERRUPTED, Status::kInterrupted) && Is(NSGX_CANCELLED, Status::kCancelled));

constexpr uint64_t kMaxEntropySize = 256;

// Bounds of NSGX_GATE_DONE's code by kind.
constexpr uint64_t kMaxExitStatus = 255;
constexpr uint64_t kMaxSignal = 64;

bool IsEnd(EnclaveEnd end) {
  switch (end.kind) {
    case NSGX_DONE_EXIT:
      return end.code <= kMaxExitStatus;
    case NSGX_DONE_SIGNAL:
      return end.code >= 1 && end.code <= kMaxSignal;
    case NSGX_DONE_PANIC:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<Leave> Enclave::CheckLeave(uint64_t call, uint64_t a0, uint64_t a1) {
  if (state() != EnclaveState::kRunning) {
    return Error(Status::kBadState);
  }
  switch (call) {
    case NSGX_GATE_HOST_CALL:
      if (!HostCallAllowed(a0)) {
        Crash();
        return Leave::kRefused;
      }
      return Leave::kHostCall;
    case NSGX_GATE_IDLE:
      return Leave::kIdle;
    case NSGX_GATE_WAKE:
      if (a0 >= vcpus_) {
        return Error(Status::kInvalidArgument);
      }
      return Leave::kWake;
    case NSGX_GATE_DONE:
      return TakeEnd({a0, a1});
    default:
      return Error(Status::kInvalidArgument);
  }
}

Result<Leave> Enclave::TakeEnd(EnclaveEnd end) {
  if (!IsEnd(end)) {
    Crash();
    return Leave::kRefused;
  }
  SpinLockGuard guard(lock_);
  if (state() != EnclaveState::kRunning) {
    return Error(Status::kBadState);  // another slot was first
  }
  end_ = end;
  uint32_t expected = static_cast<uint32_t>(EnclaveState::kRunning);
  if (!__atomic_compare_exchange_n(&state_, &expected, static_cast<uint32_t>(EnclaveState::kDone),
                                   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    return Error(Status::kBadState);
  }
  return Leave::kDone;
}

int64_t Enclave::GateCall(uint32_t slot, uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2,
                          uint64_t, uint64_t) {
  CHECK(slot < vcpus_ && __atomic_load_n(&slots_[slot].is_inside, __ATOMIC_RELAXED) != 0);
  return -static_cast<int64_t>(ToStatus(ServeGateCall(call, a0, a1, a2)));
}

Result<void> Enclave::ServeGateCall(uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2) {
  if (state() != EnclaveState::kRunning) {
    return Error(Status::kBadState);
  }
  switch (call) {
    case NSGX_GATE_COMMIT:
      return CommitPages(a0, a1, a2);
    case NSGX_GATE_PROTECT:
      return ProtectPages(a0, a1, a2);
    case NSGX_GATE_TRIM:
      return TrimPages(a0, a1);
    case NSGX_GATE_SET_HANDLER:
      return SetHandlers(a0, a1);
    case NSGX_GATE_ENTROPY:
      return GiveEntropy(a0, a1);
    case NSGX_GATE_CLOCK:
      return GiveClock(a0);
    case NSGX_GATE_REPORT:
      return GiveReport(a0, a1);
    case NSGX_GATE_VERIFY:
      return VerifyReport(a0);
    case NSGX_GATE_KEY:
      return GiveKey(a0, a1);
    case NSGX_GATE_EVIDENCE:
      return GiveEvidence(a0, a1);
    default:
      return Error(Status::kInvalidArgument);
  }
}

// Returns the pages [address, address + size) that a call wants to change.
Result<PageRun> Enclave::WholePages(uint64_t address, uint64_t size) const {
  if (!IsAligned(address | size, kPageSize) || size > NSGX_GATE_MAX_PAGES * kPageSize) {
    return Error(Status::kInvalidArgument);
  }
  return OwnRun(address, size);
}

Result<void> Enclave::CommitPages(uint64_t address, uint64_t size, uint64_t permissions) {
  const Permissions wanted = TRY(ParsePermissions(permissions));
  const PageRun run = TRY(WholePages(address, size));
  // Below the heap everything is where the SEH has put it, gaps and guard pages too.
  if (run.first < layout_.heap_offset / kPageSize) {
    return Error(Status::kPermissionDenied);
  }
  return CommitRun(run, PageEntry(PageState::kRegular, wanted));
}

Result<void> Enclave::ProtectPages(uint64_t address, uint64_t size, uint64_t permissions) {
  const Permissions wanted = TRY(ParsePermissions(permissions));
  const PageRun run = TRY(WholePages(address, size));
  // Image and heap do not touch, so pages that all pass the check are all of one kind.
  const bool is_heap = run.first >= layout_.heap_offset / kPageSize;
  if (!is_heap) {
    TRY(VerifyDeferred(run));
  }
  return ProtectRun(run, is_heap ? PageState::kRegular : PageState::kImage, wanted, MayProtect);
}

Result<void> Enclave::TrimPages(uint64_t address, uint64_t size) {
  const PageRun run = TRY(WholePages(address, size));
  TRY(Begin(run, MayTrim, Permissions::kNone));
  TrimRun(run);
  return {};
}

Result<void> Enclave::CheckHandler(uint64_t address) {
  if (address == 0) {
    return {};  // none
  }
  const PageRun run = TRY(OwnRun(address, 1));
  const PageEntry entry = table_.Get(run.first);
  const bool is_image = entry.state() == PageState::kImage || entry.state() == PageState::kDeferred;
  if (!is_image || entry.permissions() != Permissions::kReadExecute) {
    return Error(Status::kPermissionDenied);
  }
  return {};
}

Result<void> Enclave::SetHandlers(uint64_t exception_entry, uint64_t syscall_entry) {
  SpinLockGuard guard(lock_);
  if (handlers_set_) {
    return Error(Status::kAlreadyExists);
  }
  TRY(CheckHandler(exception_entry));
  TRY(CheckHandler(syscall_entry));
  handlers_set_ = true;
  __atomic_store_n(&exception_entry_, exception_entry, __ATOMIC_RELEASE);
  __atomic_store_n(&syscall_entry_, syscall_entry, __ATOMIC_RELEASE);
  return {};
}

Result<void> Enclave::GiveEntropy(uint64_t address, uint64_t size) {
  if (size == 0 || size > kMaxEntropySize) {
    return Error(Status::kInvalidArgument);
  }
  std::array<std::byte, kMaxEntropySize> buffer;
  const std::span<std::byte> bytes = std::span(buffer).first(size);
  const ScopeExit wipe([&] { SecureZero(bytes); });
  TRY(machine_.Random(bytes));
  return CopyOut(address, bytes);
}

Result<void> Enclave::GiveClock(uint64_t address) {
  const nsgx_clock clock = TRY(machine_.Clock());
  return CopyOut(address, BytesOf(clock));
}

Result<void> Enclave::GiveReport(uint64_t request_address, uint64_t report_address) {
  nsgx_report_request request;
  TRY(CopyIn(request_address, MutableBytesOf(request)));
  nsgx_report report;
  TRY(keys_.MakeReport(body_, request, report));
  return CopyOut(report_address, BytesOf(report));
}

Result<void> Enclave::VerifyReport(uint64_t report_address) {
  nsgx_report report;
  TRY(CopyIn(report_address, MutableBytesOf(report)));
  return keys_.VerifyReport(body_, report);
}

Result<void> Enclave::GiveKey(uint64_t request_address, uint64_t key_address) {
  nsgx_key_request request;
  TRY(CopyIn(request_address, MutableBytesOf(request)));
  std::array<std::byte, 32> key;
  const ScopeExit wipe([&] { SecureZero(key); });
  TRY(keys_.DeriveKey(body_, request, key));
  return CopyOut(key_address, key);
}

Result<void> Enclave::GiveEvidence(uint64_t report_data_address, uint64_t evidence_address) {
  std::array<std::byte, 64> report_data;
  TRY(CopyIn(report_data_address, report_data));
  nsgx_evidence_core evidence;
  TRY(keys_.MakeEvidence(body_, report_data, evidence));
  return CopyOut(evidence_address, BytesOf(evidence));
}

}  // namespace nsgx::seh
