// SPDX-License-Identifier: Apache-2.0
// Shared mappings of files in memory. An enclave's page lies at one address only, so two mappings
// of a page, or a mapping and the file, can't be the same memory. They are kept as processors keep
// their caches: see MappedFile. Who maps a file once, as most do, has one fault for each page.
#include <iterator>
#include <span>
#include <utility>

#include "base/core/check.h"
#include "libos/mm/address_space.h"
#include "libos/mm/mapped_file.h"

namespace nsgx::libos {
namespace {

using How = MappedFile::Recall;

constexpr uint64_t kPage = 4096;

uint64_t Smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }
uint64_t Larger(uint64_t a, uint64_t b) { return a < b ? b : a; }

std::span<std::byte, kPage> PageAt(uint64_t address) {
  return std::span<std::byte, kPage>(reinterpret_cast<std::byte*>(address), kPage);
}

bool RecallFromMemory(MappedFile& file, uint64_t offset, uint64_t size, How how) {
  return Memory().Recall(file, offset, size, how);
}

}  // namespace

void AddressSpace::Share(Region& region) {
  region.file->shared_regions.PushBack(region);
  region.file->recall.store(&RecallFromMemory, std::memory_order_release);
}

size_t AddressSpace::MappingCount(const MappedFile& file) {
  SpinLockGuard guard(lock_);
  return static_cast<size_t>(std::distance(file.shared_regions.begin(), file.shared_regions.end()));
}

void AddressSpace::RecallFrom(Region& region, uint64_t begin, uint64_t end, How how) {
  for (uint64_t page = begin; page < end;) {
    bool is_committed;
    const uint64_t run_end = committed_.RunEnd(page, end, &is_committed);
    for (; is_committed && page < run_end; page += kPage) {
      const bool was_for_writing = lent_for_writing_.IsCommitted(page);
      if (!was_for_writing && how == How::kForReading) {
        continue;
      }
      if (was_for_writing) {
        // First nobody can write any more, then it is read.
        CHECK(gate::Protect(page, kPage, gate::Rights::kRead).ok());
        // There is room: the file has had this page since it was lent.
        static_cast<void>(
            region.file->WriteBack(region.file_offset + (page - region.begin), PageAt(page)).ok());
        lent_for_writing_.Set(page, page + kPage, false);
      }
      if (how == How::kForWriting) {
        TrimCommitted(page, page + kPage);
      }
      region.file->NoticeReturned(was_for_writing, how == How::kForWriting);
    }
    page = run_end;
  }
}

void AddressSpace::RecallFromAll(MappedFile& file, const Region* but, uint64_t offset,
                                 uint64_t size, How how) {
  const uint64_t last = size > ~uint64_t{0} - offset ? ~uint64_t{0} : offset + size;
  for (Region& region : file.shared_regions) {
    const uint64_t region_last = region.file_offset + region.size();
    if (&region == but || region_last <= offset || last <= region.file_offset) {
      continue;
    }
    const uint64_t first_offset = Larger(offset, region.file_offset) & ~(kPage - 1);
    const uint64_t last_offset = Smaller(last, region_last);
    RecallFrom(region, region.begin + (first_offset - region.file_offset),
               region.begin + ((last_offset - region.file_offset + kPage - 1) & ~(kPage - 1)), how);
  }
}

bool AddressSpace::Recall(MappedFile& file, uint64_t offset, uint64_t size, How how) {
  SpinLockGuard guard(lock_);
  RecallFromAll(file, nullptr, offset, size, how);
  bool any_writes = false;
  for (const Region& region : file.shared_regions) {
    any_writes = any_writes || region.rights == gate::Rights::kReadWrite;
  }
  return any_writes;
}

// Brings one page of the file, or lets the mapping write to the copy that it has. EAGAIN, ENXIO,
// ENOSPC as MappedFile has them; ENOMEM.
Result<void, Errno> AddressSpace::BringPage(Region& region, uint64_t page, Access access,
                                            bool is_alone) {
  MappedFile& file = *region.file;
  const uint64_t offset = region.file_offset + (page - region.begin);
  const bool has_copy = committed_.IsCommitted(page);
  if (has_copy && (access != Access::kWrite || lent_for_writing_.IsCommitted(page))) {
    return {};  // another thread was faster
  }
  // Who maps it alone and may write to it will do so: one fault is enough then.
  bool for_writing =
      access == Access::kWrite || (is_alone && region.rights == gate::Rights::kReadWrite);
  RecallFromAll(file, &region, offset, kPage, for_writing ? How::kForWriting : How::kForReading);
  if (has_copy) {
    TRY(file.LendForWriting(offset));
  } else {
    TRY(CommitRun(page, page + kPage, gate::Rights::kReadWrite));
    auto first_try = file.LendPage(offset, PageAt(page), for_writing);
    // Who changes the file now may be this very thread, out of this page.
    const bool only_to_read =
        !first_try.ok() && first_try.error() == Errno::kEAGAIN && access != Access::kWrite;
    for_writing = for_writing && !only_to_read;
    auto lent = only_to_read ? file.LendPage(offset, PageAt(page), false) : std::move(first_try);
    if (!lent.ok()) {
      TrimCommitted(page, page + kPage);
      return lent;
    }
  }
  if (for_writing) {
    lent_for_writing_.Set(page, page + kPage, true);
  }
  const gate::Rights rights = for_writing                                 ? gate::Rights::kReadWrite
                              : region.rights == gate::Rights::kReadWrite ? gate::Rights::kRead
                                                                          : region.rights;
  if (has_copy || rights != gate::Rights::kReadWrite) {
    CHECK(gate::Protect(page, kPage, rights).ok());
  }
  return {};
}

FaultResult AddressSpace::ResolveSharedFault(Region& region, uint64_t page, Access access) {
  const auto first = region.file->shared_regions.begin();
  const bool is_alone = &*first == &region && std::next(first) == region.file->shared_regions.end();
  const auto brought = BringPage(region, page, access, is_alone);
  if (!brought.ok()) {
    // A write is going on: the access is made again, and comes here again.
    return brought.error() == Errno::kEAGAIN ? FaultResult::kResolved : FaultResult::kOutOfMemory;
  }
  if (is_alone) {
    // The next ones are likely to be wanted too.
    constexpr uint64_t kAround = 16 * kPage;
    const uint64_t end = Smaller(region.end, (page & ~(kAround - 1)) + kAround);
    for (uint64_t next = page + kPage; next < end && !committed_.IsCommitted(next); next += kPage) {
      if (!BringPage(region, next, Access::kRead, true).ok()) {
        break;
      }
    }
  }
  return FaultResult::kResolved;
}

}  // namespace nsgx::libos
