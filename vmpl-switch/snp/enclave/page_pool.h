// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/page_allocator.h"

namespace nsgx::snp {

// The pages that a guest has donated to one enclave. All that the enclave needs comes from here:
// its memory, its page tables, what the SEH keeps for it. Free pages are zero.
class PagePool final : public PageSupply {
 public:
  // Requires: the map lives longer.
  constexpr explicit PagePool(const DirectMap& memory) : memory_(memory) {}
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // Takes over a page of zeros that nobody else uses.
  void Donate(GuestPhys page) EXCLUDES(lock_);
  // Returns a free page that leaves the pool for good. Errors: kNotFound  none is free.
  Result<GuestPhys> TakeBack() EXCLUDES(lock_);

  // Errors: kNoMemory  noted for TakeShortage.
  Result<GuestPhys> AllocatePage() override EXCLUDES(lock_);
  // Wipes it.
  void FreePage(GuestPhys page) override EXCLUDES(lock_);

  // Succeeds when `count` pages are free now.
  //
  // Errors: kNoMemory  noted for TakeShortage.
  Result<void> Need(uint64_t count) EXCLUDES(lock_);

  // Returns how many pages to donate, so that what failed for lack of pages may work, and forgets
  // it; 0: nothing failed for that reason.
  uint64_t TakeShortage() EXCLUDES(lock_);

  uint64_t free_pages() const EXCLUDES(lock_);
  uint64_t used_pages() const EXCLUDES(lock_);
  // How many pages have ever been donated.
  uint64_t donations() const EXCLUDES(lock_);

 private:
  void NoteShortage(uint64_t missing) REQUIRES(lock_);

  const DirectMap& memory_;
  mutable SpinLock lock_;
  GuestPhys free_list_ GUARDED_BY(lock_);  // 0: empty; each page holds the address of the next
  uint64_t free_ GUARDED_BY(lock_) = 0;
  uint64_t used_ GUARDED_BY(lock_) = 0;
  uint64_t donations_ GUARDED_BY(lock_) = 0;
  uint64_t shortage_ GUARDED_BY(lock_) = 0;
};

}  // namespace nsgx::snp
