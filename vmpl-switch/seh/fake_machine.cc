// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/fake_machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/core/addr_raw.h"
#include "base/core/align.h"
#include "base/core/bytes.h"
#include "base/core/check.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::seh {
namespace {

void* At(uint64_t address) { return PointerTo<void>(EnclaveVirt(address)); }

void SetHostProtection(uint64_t start, uint64_t size, Permissions permissions) {
  const int protection =
      permissions == Permissions::kReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
  CHECK(mprotect(At(start), size, protection) == 0);
}

}  // namespace

// Marks pages as being changed for as long as the machine's call runs.
class FakeMachine::ChangeScope {
 public:
  ChangeScope(FakeMachine& machine, uint64_t start, uint64_t size)
      : machine_(machine), start_(start) {
    {
      const std::lock_guard guard(machine_.mutex_);
      CHECK(size != 0 && IsAligned(start | size, kPageSize) && machine_.IsReserved(start, size));
      for (const auto& [other, end] : machine_.changing_) {
        CHECK(end <= start || start + size <= other);
      }
      machine_.changing_[start] = start + size;
    }
    machine_.CallHook();
  }
  ~ChangeScope() {
    const std::lock_guard guard(machine_.mutex_);
    machine_.changing_.erase(start_);
  }

 private:
  FakeMachine& machine_;
  uint64_t start_;
};

FakeMachine::~FakeMachine() { CHECK(ranges_.empty() && table_pages_.empty()); }

void FakeMachine::FailCall(uint32_t number) {
  const std::lock_guard guard(mutex_);
  fallible_calls_ = 0;
  fail_at_ = number;
}

uint32_t FakeMachine::fallible_calls() const {
  const std::lock_guard guard(mutex_);
  return fallible_calls_;
}

std::vector<FakeMachine::Event> FakeMachine::history() const {
  const std::lock_guard guard(mutex_);
  return history_;
}

void FakeMachine::ForgetHistory() {
  const std::lock_guard guard(mutex_);
  history_.clear();
}

size_t FakeMachine::table_page_count() const {
  const std::lock_guard guard(mutex_);
  return table_pages_.size();
}

size_t FakeMachine::range_count() const {
  const std::lock_guard guard(mutex_);
  return ranges_.size();
}

bool FakeMachine::IsCommitted(EnclaveVirt address, Permissions* permissions) const {
  const std::lock_guard guard(mutex_);
  auto extent = committed_.upper_bound(address.raw());
  if (extent == committed_.begin()) {
    return false;
  }
  --extent;
  if (extent->second.end <= address.raw()) {
    return false;
  }
  if (permissions != nullptr) {
    *permissions = extent->second.permissions;
  }
  return true;
}

uint64_t FakeMachine::committed_size() const {
  const std::lock_guard guard(mutex_);
  uint64_t size = 0;
  for (const auto& [start, extent] : committed_) {
    size += extent.end - start;
  }
  return size;
}

void FakeMachine::CallHook() {
  if (during_call != nullptr) {
    during_call(during_call_context);
  }
}

bool FakeMachine::FailsNow() { return ++fallible_calls_ == fail_at_; }

bool FakeMachine::IsReserved(uint64_t start, uint64_t size) const {
  auto range = ranges_.upper_bound(start);
  if (range == ranges_.begin()) {
    return false;
  }
  --range;
  return start - range->first <= range->second && size <= range->second - (start - range->first);
}

bool FakeMachine::AllCommitted(uint64_t start, uint64_t size, bool wanted) const {
  const uint64_t end = start + size;
  auto extent = committed_.upper_bound(start);
  if (extent != committed_.begin() && std::prev(extent)->second.end > start) {
    --extent;
  }
  if (!wanted) {
    return extent == committed_.end() || extent->first >= end;
  }
  while (start < end) {
    if (extent == committed_.end() || extent->first > start) {
      return false;
    }
    start = extent->second.end;
    ++extent;
  }
  return true;
}

void FakeMachine::SplitAt(uint64_t address) {
  auto extent = committed_.upper_bound(address);
  if (extent == committed_.begin()) {
    return;
  }
  --extent;
  if (extent->first < address && address < extent->second.end) {
    committed_[address] = extent->second;
    extent->second.end = address;
  }
}

void FakeMachine::Erase(uint64_t start, uint64_t size) {
  SplitAt(start);
  SplitAt(start + size);
  committed_.erase(committed_.lower_bound(start), committed_.lower_bound(start + size));
}

Result<EnclaveVirt> FakeMachine::ReserveRange(uint64_t size) {
  const std::lock_guard guard(mutex_);
  if (FailsNow()) {
    history_.push_back({Call::kReserve, 0, size, Permissions::kNone, false});
    return Error(Status::kNoMemory);
  }
  // Reserved with room for the alignment; what is too much is given back at once.
  const uint64_t mapped_size = size + kLargePageSize;
  void* mapping =
      mmap(nullptr, mapped_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    return Error(Status::kNoMemory);
  }
  const uint64_t mapped = AddressOf<EnclaveVirt>(mapping).raw();
  const uint64_t base = AlignUp(mapped, kLargePageSize);
  if (base != mapped) {
    munmap(At(mapped), base - mapped);
  }
  munmap(At(base + size), mapped + mapped_size - base - size);
  ranges_[base] = size;
  history_.push_back({Call::kReserve, base, size, Permissions::kNone, true});
  return EnclaveVirt(base);
}

void FakeMachine::ReleaseRange(EnclaveVirt base, uint64_t size) {
  const std::lock_guard guard(mutex_);
  CHECK(ranges_.contains(base.raw()) && ranges_[base.raw()] == size);
  Erase(base.raw(), size);
  ranges_.erase(base.raw());
  CHECK(munmap(At(base.raw()), size) == 0);
  history_.push_back({Call::kRelease, base.raw(), size, Permissions::kNone, true});
}

Result<void> FakeMachine::Load(EnclaveVirt start, const PageSource& source,
                               Permissions permissions) {
  const uint64_t size = source.bytes.size();
  const ChangeScope scope(*this, start.raw(), size);
  const std::lock_guard guard(mutex_);
  CHECK(AllCommitted(start.raw(), size, false));
  const bool fails = FailsNow();
  history_.push_back({Call::kLoad, start.raw(), size, permissions, !fails});
  if (fails) {
    return Error(Status::kNoMemory);
  }
  SetHostProtection(start.raw(), size, Permissions::kReadWrite);
  std::memcpy(At(start.raw()), source.bytes.data(), size);
  SetHostProtection(start.raw(), size, permissions);
  committed_[start.raw()] = {start.raw() + size, permissions};
  return {};
}

Result<void> FakeMachine::Commit(EnclaveVirt start, uint64_t size, Permissions permissions) {
  const ChangeScope scope(*this, start.raw(), size);
  const std::lock_guard guard(mutex_);
  CHECK(AllCommitted(start.raw(), size, false));
  const bool fails = FailsNow();
  history_.push_back({Call::kCommit, start.raw(), size, permissions, !fails});
  if (fails) {
    return Error(Status::kNoMemory);
  }
  SetHostProtection(start.raw(), size, permissions);
  committed_[start.raw()] = {start.raw() + size, permissions};
  return {};
}

Result<void> FakeMachine::Protect(EnclaveVirt start, uint64_t size, Permissions permissions) {
  const ChangeScope scope(*this, start.raw(), size);
  const std::lock_guard guard(mutex_);
  CHECK(AllCommitted(start.raw(), size, true));
  const bool fails = FailsNow();
  history_.push_back({Call::kProtect, start.raw(), size, permissions, !fails});
  if (fails) {
    return Error(Status::kNoMemory);
  }
  SetHostProtection(start.raw(), size, permissions);
  Erase(start.raw(), size);
  committed_[start.raw()] = {start.raw() + size, permissions};
  return {};
}

void FakeMachine::Trim(EnclaveVirt start, uint64_t size) {
  const ChangeScope scope(*this, start.raw(), size);
  const std::lock_guard guard(mutex_);
  CHECK(AllCommitted(start.raw(), size, true));
  Erase(start.raw(), size);
  CHECK(madvise(At(start.raw()), size, MADV_DONTNEED) == 0);
  CHECK(mprotect(At(start.raw()), size, PROT_NONE) == 0);
  history_.push_back({Call::kTrim, start.raw(), size, Permissions::kNone, true});
}

std::span<std::byte> FakeMachine::Access(EnclaveVirt start, uint64_t size) {
  const std::lock_guard guard(mutex_);
  const uint64_t first = start.PageStart().raw();
  CHECK(AllCommitted(first, AlignUp(start.raw() + size, kPageSize) - first, true));
  return {PointerTo<std::byte>(start), size};
}

void FakeMachine::HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests) {
  pages_hashed_ += digests.size();
  if (!hash_in_parallel) {
    Sha256HashPages(pages, digests);
    return;
  }
  const size_t half = digests.size() / 2;
  std::thread helper([&] { Sha256HashPages(pages.first(half * kPageSize), digests.first(half)); });
  Sha256HashPages(pages.subspan(half * kPageSize), digests.subspan(half));
  helper.join();
}

Result<std::byte*> FakeMachine::AllocateTablePage() {
  const std::lock_guard guard(mutex_);
  if (FailsNow()) {
    return Error(Status::kNoMemory);
  }
  std::byte* page = static_cast<std::byte*>(std::aligned_alloc(kPageSize, kPageSize));
  std::memset(page, 0, kPageSize);
  table_pages_.insert(page);
  return page;
}

void FakeMachine::FreeTablePage(std::byte* page) {
  const std::lock_guard guard(mutex_);
  CHECK(table_pages_.erase(page) == 1);
  std::free(page);
}

Result<void> FakeMachine::Random(std::span<std::byte> out) {
  CallHook();
  const std::lock_guard guard(mutex_);
  if (FailsNow()) {
    return Error(Status::kEntropyFailure);
  }
  while (!out.empty()) {
    const Sha256::Digest block = Sha256::Hash(BytesOf(++random_counter_));
    const size_t size = std::min(out.size(), block.size());
    std::copy_n(block.begin(), size, out.begin());
    out = out.subspan(size);
  }
  return {};
}

Result<nsgx_clock> FakeMachine::Clock() {
  const std::lock_guard guard(mutex_);
  if (FailsNow()) {
    return Error(Status::kUnsupported);
  }
  return nsgx_clock{1000, 2000, uint64_t{1} << 31};
}

Result<void> FakeMachine::RootKey(std::span<std::byte, 32> out) {
  const std::lock_guard guard(mutex_);
  if (FailsNow()) {
    return Error(Status::kUnsupported);
  }
  std::fill(out.begin(), out.end(), std::byte{0x5a});
  return {};
}

Result<void> FakeMachine::HardwareReport(std::span<const std::byte, 64> report_data,
                                         std::span<std::byte, 1184> out) {
  CallHook();
  const std::lock_guard guard(mutex_);
  if (FailsNow()) {
    return Error(Status::kUnsupported);
  }
  ++hardware_reports_;
  snp_report report = {};
  report.version = 2;
  std::memcpy(report.report_data, report_data.data(), report_data.size());
  static_assert(sizeof(report) == 1184);
  std::memcpy(out.data(), &report, sizeof(report));
  return {};
}

}  // namespace nsgx::seh
