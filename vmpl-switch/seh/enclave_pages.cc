// SPDX-License-Identifier: Apache-2.0
// How an enclave's pages change hands, how the SEH reaches them, and how deferred ones are checked.
#include <algorithm>
#include <array>

#include "base/core/mem_raw.h"
#include "base/core/range.h"
#include "vmpl-switch/seh/enclave.h"
#include "vmpl-switch/seh/page_rules.h"

namespace nsgx::seh {
namespace {

// Deferred pages are checked in aligned groups of up to this many, so that neighbours, which are
// likely to be touched next, cost no fault of their own.
constexpr uint64_t kVerifyGroup = 16;

}  // namespace

Result<void> Enclave::AddSpare() {
  std::byte* page = TRY(machine_.AllocateTablePage());
  SpinLockGuard guard(lock_);
  table_.AddSpare(page);
  return {};
}

Result<void> Enclave::Begin(PageRun run, CheckEntry check, Permissions wanted) {
  for (;;) {
    {
      SpinLockGuard guard(lock_);
      TRY(table_.ForEachRun(run, [&](PageRun, PageEntry entry) -> Result<void> {
        if (entry.is_busy()) {
          return Error(Status::kBusy);
        }
        return check(entry, wanted);
      }));
      if (table_.MissingSpares(run) == 0) {
        TRY(table_.Prepare(run));
        table_.SetBusy(run, true);
        return {};
      }
    }
    // The machine is asked without the lock; then all is looked at again.
    TRY(AddSpare());
  }
}

void Enclave::Finish(PageRun run, PageEntry entry) {
  SpinLockGuard guard(lock_);
  table_.Set(run, entry);
}

void Enclave::Abandon(PageRun run) {
  SpinLockGuard guard(lock_);
  table_.SetBusy(run, false);
}

Result<void> Enclave::CommitRun(PageRun run, PageEntry entry) {
  TRY(Begin(run, MayCommit, entry.permissions()));
  const Result<void> result =
      machine_.Commit(AddressOfPage(run.first), run.count * kPageSize, entry.permissions());
  if (!result.ok()) {
    Abandon(run);
    return Error(result.error());
  }
  Finish(run, entry);
  return {};
}

Result<void> Enclave::ProtectRun(PageRun run, PageState state, Permissions permissions,
                                 CheckEntry check) {
  TRY(Begin(run, check, permissions));
  const Result<void> result =
      machine_.Protect(AddressOfPage(run.first), run.count * kPageSize, permissions);
  if (!result.ok()) {
    Abandon(run);
    return Error(result.error());
  }
  Finish(run, PageEntry(state, permissions));
  return {};
}

void Enclave::TrimRun(PageRun run) {
  machine_.Trim(AddressOfPage(run.first), run.count * kPageSize);
  Finish(run, PageEntry());
}

PageEntry Enclave::EntryOf(uint64_t page) {
  SpinLockGuard guard(lock_);
  return table_.Get(page);
}

// Returns the pages that hold [address, address + size), which the enclave named.
Result<PageRun> Enclave::OwnRun(uint64_t address, uint64_t size) const {
  using Bytes = AddrRange<struct EnclaveVirtTag>;
  const Bytes named = TRY(Bytes::Make(EnclaveVirt(address), size));
  const Bytes own = Bytes::Make(base_, layout_.size).value();
  if (named.empty()) {
    return Error(Status::kInvalidArgument);
  }
  if (!own.Contains(named)) {
    return Error(Status::kOutOfRange);
  }
  const uint64_t first = (named.begin() - base_) / kPageSize;
  const uint64_t last = (named.end() - base_ - 1) / kPageSize;
  return PageRun{first, last - first + 1};
}

Result<void> Enclave::CheckAccess(PageRun run, Permissions needed) {
  return table_.ForEachRun(run, [&](PageRun, PageEntry entry) -> Result<void> {
    if (entry.is_busy() || entry.state() == PageState::kDeferred) {
      return Error(Status::kBusy);
    }
    if (entry.state() == PageState::kFree) {
      return Error(Status::kNotFound);
    }
    if (!Allows(entry.permissions(), needed)) {
      return Error(Status::kPermissionDenied);
    }
    return {};
  });
}

Result<void> Enclave::CopyIn(uint64_t address, std::span<std::byte> to) {
  const PageRun run = TRY(OwnRun(address, to.size()));
  TRY(VerifyDeferred(run));
  // Under the lock, so that the pages stay while they are read.
  SpinLockGuard guard(lock_);
  TRY(CheckAccess(run, Permissions::kRead));
  CopyOnce(to.data(), machine_.Access(EnclaveVirt(address), to.size()).data(), to.size());
  return {};
}

Result<void> Enclave::CopyOut(uint64_t address, std::span<const std::byte> from) {
  const PageRun run = TRY(OwnRun(address, from.size()));
  TRY(VerifyDeferred(run));
  SpinLockGuard guard(lock_);
  TRY(CheckAccess(run, Permissions::kReadWrite));
  CopyOnce(machine_.Access(EnclaveVirt(address), from.size()).data(), from.data(), from.size());
  return {};
}

Result<void> Enclave::VerifyDeferred(PageRun run) {
  const uint64_t end = run.end();
  uint64_t next = run.first;
  while (next < end) {
    uint64_t deferred = end;
    {
      SpinLockGuard guard(lock_);
      // Stops at the first deferred page; the error only ends the walk.
      static_cast<void>(
          table_.ForEachRun({next, end - next}, [&](PageRun now, PageEntry entry) -> Result<void> {
            if (entry.state() == PageState::kDeferred) {
              deferred = now.first;
              return Error(Status::kBusy);
            }
            return {};
          }));
    }
    next = deferred;
    if (next < end) {
      const Result<void> result = VerifyAround(next);
      // Busy: another slot is checking it. Not found: it just has. Both: look again.
      if (!result.ok() && result.error() != Status::kBusy && result.error() != Status::kNotFound) {
        return Error(result.error());
      }
      __builtin_ia32_pause();
    }
  }
  return {};
}

// Chooses and marks the group of pages to check together with `page`, and returns it and the entry
// that all have.
Result<PageRun> Enclave::BeginVerify(uint64_t page, PageEntry* entry) {
  for (;;) {
    {
      SpinLockGuard guard(lock_);
      *entry = table_.Get(page);
      if (entry->state() != PageState::kDeferred) {
        return Error(Status::kNotFound);
      }
      if (entry->is_busy()) {
        return Error(Status::kBusy);
      }
      uint64_t first = page;
      while (first % kVerifyGroup != 0 && table_.Get(first - 1) == *entry) {
        --first;
      }
      uint64_t end = page + 1;
      while (end % kVerifyGroup != 0 && table_.Get(end) == *entry) {
        ++end;
      }
      const PageRun run{first, end - first};
      if (table_.MissingSpares(run) == 0) {
        TRY(table_.Prepare(run));
        table_.SetBusy(run, true);
        return run;
      }
    }
    TRY(AddSpare());
  }
}

Result<void> Enclave::VerifyAround(uint64_t page) {
  PageEntry entry;
  const PageRun run = TRY(BeginVerify(page, &entry));
  std::array<Sha256::Digest, kVerifyGroup> digests;
  machine_.HashPages(AccessRun(run), std::span(digests).first(run.count));
  for (uint64_t i = 0; i < run.count; ++i) {
    if (digests[i] != digests_.Slice(run.first + i, 1)[0]) {
      Abandon(run);
      Crash();
      return Error(Status::kBadMeasurement);
    }
  }
  const Result<void> result =
      machine_.Protect(AddressOfPage(run.first), run.count * kPageSize, entry.permissions());
  if (!result.ok()) {
    Abandon(run);
    return Error(result.error());
  }
  Finish(run, PageEntry(PageState::kImage, entry.permissions()));
  return {};
}

Result<void> Enclave::HandleFault(EnclaveVirt address, Permissions needed) {
  const Result<PageRun> run = OwnRun(address.raw(), 1);
  if (!run.ok()) {
    return Error(Status::kNotFound);
  }
  const uint64_t page = run.value().first;
  const PageEntry entry = EntryOf(page);
  if (!Allows(entry.permissions(), needed)) {
    return Error(Status::kNotFound);
  }
  switch (entry.state()) {
    case PageState::kDeferred: {
      const Result<void> result = VerifyAround(page);
      if (!result.ok() && result.error() != Status::kNotFound) {
        return Error(result.error());
      }
      // Checked now, by this slot or by another one.
      return {};
    }
    case PageState::kImage:
      // Another slot has checked it since the touch.
      return {};
    default:
      return Error(Status::kNotFound);
  }
}

}  // namespace nsgx::seh
