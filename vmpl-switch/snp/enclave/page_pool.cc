// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/enclave/page_pool.h"

#include <algorithm>

#include "base/core/check.h"
#include "base/core/mem_raw.h"

namespace nsgx::snp {
namespace {

// Whoever lacks one page will soon lack the next; each demand costs a way to the guest and back.
constexpr uint64_t kLeastDemand = 64;
constexpr uint64_t kDemandShare = 8;  // of what the enclave has

}  // namespace

void PagePool::Donate(GuestPhys page) {
  SpinLockGuard guard(lock_);
  *memory_.ObjectAt<uint64_t>(page) = free_list_.raw();
  free_list_ = page;
  ++free_;
  ++donations_;
}

Result<GuestPhys> PagePool::TakeBack() {
  SpinLockGuard guard(lock_);
  if (free_ == 0) {
    return Error(Status::kNotFound);
  }
  const GuestPhys page = free_list_;
  uint64_t* next = memory_.ObjectAt<uint64_t>(page);
  free_list_ = GuestPhys(*next);
  *next = 0;
  --free_;
  return page;
}

Result<GuestPhys> PagePool::AllocatePage() {
  SpinLockGuard guard(lock_);
  if (free_ == 0) {
    NoteShortage(1);
    return Error(Status::kNoMemory);
  }
  const GuestPhys page = free_list_;
  uint64_t* next = memory_.ObjectAt<uint64_t>(page);
  free_list_ = GuestPhys(*next);
  *next = 0;
  --free_;
  ++used_;
  return page;
}

void PagePool::FreePage(GuestPhys page) {
  FillOnce(memory_.At(page), std::byte{0}, kPageSize);
  SpinLockGuard guard(lock_);
  CHECK(used_ != 0);
  *memory_.ObjectAt<uint64_t>(page) = free_list_.raw();
  free_list_ = page;
  ++free_;
  --used_;
}

Result<void> PagePool::Need(uint64_t count) {
  SpinLockGuard guard(lock_);
  if (free_ < count) {
    NoteShortage(count - free_);
    return Error(Status::kNoMemory);
  }
  return {};
}

void PagePool::NoteShortage(uint64_t missing) {
  shortage_ = missing + std::max(kLeastDemand, used_ / kDemandShare);
}

uint64_t PagePool::TakeShortage() {
  SpinLockGuard guard(lock_);
  const uint64_t shortage = shortage_;
  shortage_ = 0;
  return shortage;
}

uint64_t PagePool::free_pages() const {
  SpinLockGuard guard(lock_);
  return free_;
}

uint64_t PagePool::used_pages() const {
  SpinLockGuard guard(lock_);
  return used_;
}

uint64_t PagePool::donations() const {
  SpinLockGuard guard(lock_);
  return donations_;
}

}  // namespace nsgx::snp
