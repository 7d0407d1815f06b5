// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/memory/page_allocator.h"

#include "base/core/check.h"
#include "base/core/mem_raw.h"

namespace nsgx::snp {

void PageAllocator::Initialize(const DirectMap& memory, const PageRange<GuestPhysTag>& pages) {
  CHECK(memory_ == nullptr);
  memory_ = &memory;
  region_ = pages;
  SpinLockGuard guard(lock_);
  never_used_ = pages.address();
}

Result<GuestPhys> PageAllocator::AllocatePage() {
  GuestPhys page;
  {
    SpinLockGuard guard(lock_);
    if (free_list_ != 0) {
      page = GuestPhys(free_list_);
      CHECK(region_.Contains(page) && page.is_page_aligned());
      free_list_ = *memory_->ObjectAt<uint64_t>(page);
      --free_count_;
    } else if (never_used_ < region_.end_address()) {
      page = never_used_;
      never_used_ += kPageSize;
    } else {
      return Error(Status::kNoMemory);
    }
  }
  FillOnce(memory_->At(page), std::byte{0}, kPageSize);
  return page;
}

void PageAllocator::FreePage(GuestPhys page) {
  CHECK(region_.Contains(page) && page.is_page_aligned());
  FillOnce(memory_->At(page), std::byte{0}, kPageSize);
  SpinLockGuard guard(lock_);
  CHECK(page < never_used_);
  *memory_->ObjectAt<uint64_t>(page) = free_list_;
  free_list_ = page.raw();
  ++free_count_;
}

Result<GuestPhys> PageAllocator::AllocateForEver(uint64_t count) {
  GuestPhys first;
  {
    SpinLockGuard guard(lock_);
    if (count > (region_.end_address() - never_used_) >> kPageShift) {
      return Error(Status::kNoMemory);
    }
    first = never_used_;
    never_used_ += count << kPageShift;
  }
  FillOnce(memory_->At(first), std::byte{0}, count << kPageShift);
  return first;
}

uint64_t PageAllocator::free_pages() const {
  SpinLockGuard guard(lock_);
  return free_count_ + ((region_.end_address() - never_used_) >> kPageShift);
}

}  // namespace nsgx::snp
