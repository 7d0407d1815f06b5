// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/addr.h"
#include "base/core/range.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "vmpl-switch/snp/memory/direct_map.h"

namespace nsgx::snp {

// Where page tables get their pages from: the SEH's own memory, or the pool of an enclave.
class PageSupply {
 public:
  // Returns a page of zeros.
  //
  // Errors: kNoMemory
  virtual Result<GuestPhys> AllocatePage() = 0;
  // Takes back a page that came from here. Its contents are wiped before it is given out again.
  virtual void FreePage(GuestPhys page) = 0;

 protected:
  ~PageSupply() = default;
};

// The SEH's own memory, page by page: the part of its region that the image does not fill. Nothing
// of it ever goes to the guest or to an enclave.
class PageAllocator final : public PageSupply {
 public:
  constexpr PageAllocator() = default;

  // Takes over `pages`, which are validated, the SEH's, and in nobody's use.
  // Requires: called once; the map lives longer.
  void Initialize(const DirectMap& memory, const PageRange<GuestPhysTag>& pages);

  Result<GuestPhys> AllocatePage() override EXCLUDES(lock_);
  void FreePage(GuestPhys page) override EXCLUDES(lock_);

  // Returns `count` pages in a row, of zeros; never given back.
  //
  // Errors: kNoMemory
  Result<GuestPhys> AllocateForEver(uint64_t count) EXCLUDES(lock_);

  uint64_t free_pages() const EXCLUDES(lock_);

 private:
  const DirectMap* memory_ = nullptr;
  mutable SpinLock lock_;
  PageRange<GuestPhysTag> region_;
  GuestPhys never_used_ GUARDED_BY(lock_);    // from here to the end of the region
  uint64_t free_list_ GUARDED_BY(lock_) = 0;  // address of the first page; each holds the next's
  uint64_t free_count_ GUARDED_BY(lock_) = 0;
};

}  // namespace nsgx::snp
