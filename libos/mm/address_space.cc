// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/address_space.h"

#include <cstring>
#include <span>
#include <utility>

#include "base/core/check.h"
#include "libos/kernel/user_access.h"
#include "libos/mm/kernel_heap.h"
#include "libos/mm/space_limit.h"

namespace nsgx::libos {
namespace {

using gate::Rights;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kLargePage = uint64_t{2} << 20;

// Mappings up to this size are made usable at once, with the rest of the last large page; others at
// their first touch.
constexpr uint64_t kEagerSize = kLargePage;
// Up to this size, contents that are not needed any more are cleared rather than given back.
constexpr uint64_t kClearSize = uint64_t{1} << 20;
// Mappings up to this size are placed together, so that committing ahead serves the next.
constexpr uint64_t kSmallSize = uint64_t{1} << 20;
// The largest part of the range that brk may use.
constexpr uint64_t kMaxBreak = uint64_t{1} << 30;
// Where they are placed: it is a wish, not a border.
constexpr uint64_t kSmallPart = 4;  // a quarter of the range

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }
uint64_t RoundDown(uint64_t value, uint64_t unit) { return value & ~(unit - 1); }
uint64_t Smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }
uint64_t Larger(uint64_t a, uint64_t b) { return a < b ? b : a; }

bool IsPageAligned(uint64_t value) { return value % kPage == 0; }
bool IsWritable(Rights rights) { return rights == Rights::kReadWrite; }

bool Permits(Rights rights, Access access) {
  const uint32_t needed = access == Access::kWrite     ? NSGX_PERMISSION_WRITE
                          : access == Access::kExecute ? NSGX_PERMISSION_EXECUTE
                                                       : NSGX_PERMISSION_READ;
  return (static_cast<uint32_t>(rights) & needed) != 0;
}

// Size in whole pages; 0 when it is none or too large.
uint64_t PageSizeOf(uint64_t size) {
  return size == 0 || size > ~uint64_t{0} - kPage ? 0 : RoundUp(size, kPage);
}

}  // namespace

void AddressSpace::Init(uint64_t base, uint64_t begin, uint64_t end) {
  SpinLockGuard guard(lock_);
  base_ = base;
  begin_ = RoundUp(begin, kLargePage);
  end_ = RoundDown(end, kLargePage);
  Space().Init(begin_, end_);
  committed_.Init(begin_);
  lent_for_writing_.Init(begin_);
  // The break comes first, and no mapping is placed where it may grow unless the program asks for
  // that.
  break_ = begin_;
  break_limit_ = begin_ + Smaller(kMaxBreak, RoundDown((end_ - begin_) / 8, kLargePage));
  large_begin_ = RoundUp(break_limit_ + (end_ - begin_) / kSmallPart, kLargePage);
}

// ---- regions
// --------------------------------------------------------------------------------------------------

RegionTree::Hole AddressSpace::FindPlace(const MapRequest& request, uint64_t size) {
  const uint64_t limit = Space().program_limit();
  if (request.hint != 0 && IsPageAligned(request.hint) && IsInside(request.hint, size)) {
    const RegionTree::Hole hole = regions_.FindHole(size, request.hint, limit);
    if (hole.end != 0 && hole.begin == request.hint) {
      return hole;
    }
  }
  if (IsWritable(request.rights) && size <= kSmallSize && request.file == nullptr) {
    const RegionTree::Hole hole = regions_.FindHole(size, break_limit_, limit);
    if (hole.end != 0) {
      return hole;
    }
  }
  if (size >= kLargePage) {
    RegionTree::Hole hole = regions_.FindHole(size + kLargePage - kPage, large_begin_, limit);
    if (hole.end != 0) {
      hole.begin = RoundUp(hole.begin, kLargePage);
      return hole;
    }
  }
  const RegionTree::Hole hole = regions_.FindHole(size, large_begin_, limit);
  return hole.end != 0 ? hole : regions_.FindHole(size, break_limit_, limit);
}

// Afterwards [begin, end) is the program's, and its pages can be marked.
Result<void, Errno> AddressSpace::TakeAddresses(uint64_t begin, uint64_t end) {
  // Whole large pages: what is committed ahead must not be the library OS's.
  if (!Space().RaiseProgramEnd(RoundUp(end, kLargePage))) {
    return Error(Errno::kENOMEM);
  }
  return committed_.Reserve(begin, end);
}

Result<Region*, Errno> AddressSpace::AddRegion(const MapRequest& request, uint64_t begin,
                                               uint64_t end) {
  TRY(TakeAddresses(begin, end));
  Region* region = TRY(New<Region>());
  region->begin = begin;
  region->end = end;
  region->rights = request.rights;
  region->is_shared = request.is_shared;
  if (request.file != nullptr) {
    region->kind = RegionKind::kFile;
    region->file = request.file;
    region->file_offset = request.file_offset;
    request.file->AddMappingReference();
  }
  regions_.Insert(*region);
  mapped_bytes_ += end - begin;
  return region;
}

// Makes one region of two that are alike and touch. Returns the one that holds what `region` held.
Region* AddressSpace::MergeWithNeighbours(Region& region) {
  Region* result = &region;
  const auto alike = [](const Region& a, const Region& b) {
    return a.end == b.begin && a.rights == b.rights && a.kind == RegionKind::kAnonymous &&
           b.kind == a.kind && a.is_shared == b.is_shared;
  };
  Region* before = regions_.LastBeginningBefore(result->begin);
  if (before != nullptr && alike(*before, *result)) {
    const uint64_t end = result->end;
    regions_.Remove(*result);
    Delete(result);
    regions_.Resize(*before, before->begin, end);
    result = before;
  }
  Region* behind = regions_.Find(result->end);
  if (behind != nullptr && alike(*result, *behind)) {
    const uint64_t end = behind->end;
    regions_.Remove(*behind);
    Delete(behind);
    regions_.Resize(*result, result->begin, end);
  }
  return result;
}

// Afterwards no region begins before `address` and ends behind it.
Result<void, Errno> AddressSpace::SplitAt(uint64_t address) {
  Region* region = regions_.Find(address);
  if (region == nullptr || region->begin == address) {
    return {};
  }
  Region* upper = TRY(New<Region>());
  const uint64_t end = region->end;
  upper->begin = address;
  upper->end = end;
  upper->rights = region->rights;
  upper->kind = region->kind;
  upper->is_shared = region->is_shared;
  upper->file = region->file;
  const uint64_t offset = address - region->begin;
  upper->file_offset = region->file_offset + offset;
  upper->file_bytes = region->file_bytes > offset ? region->file_bytes - offset : 0;
  if (upper->file != nullptr) {
    upper->file->AddMappingReference();
  }
  if (region->is_coherent()) {
    Share(*upper);
  }
  region->file_bytes = Smaller(region->file_bytes, offset);
  regions_.Resize(*region, region->begin, address);
  regions_.Insert(*upper);
  return {};
}

void AddressSpace::ForgetRegion(Region& region) {
  mapped_bytes_ -= region.size();
  regions_.Remove(region);
  if (region.is_coherent()) {
    region.file->shared_regions.Erase(region);
  }
  if (region.file != nullptr) {
    region.file->DropMappingReference();
  }
  Delete(&region);
}

Result<void, Errno> AddressSpace::CheckMappedLocked(uint64_t begin, uint64_t end) {
  uint64_t address = begin;
  while (address < end) {
    const Region* region = regions_.Find(address);
    if (region == nullptr) {
      return Error(Errno::kENOMEM);
    }
    address = region->end;
  }
  return {};
}

// ---- pages
// ----------------------------------------------------------------------------------------------------

Result<void, Errno> AddressSpace::CommitRun(uint64_t begin, uint64_t end, Rights rights) {
  if (!gate::Commit(begin, end - begin, rights).ok()) {
    return Error(Errno::kENOMEM);
  }
  committed_.Set(begin, end, true);
  committed_bytes_ += end - begin;
  peak_committed_bytes_ = Larger(peak_committed_bytes_, committed_bytes_);
  return {};
}

void AddressSpace::TrimCommitted(uint64_t begin, uint64_t end) {
  for (uint64_t address = begin; address < end;) {
    bool is_committed;
    const uint64_t run_end = committed_.RunEnd(address, end, &is_committed);
    if (is_committed) {
      CHECK(gate::Trim(address, run_end - address).ok());
      committed_.Set(address, run_end, false);
      committed_bytes_ -= run_end - address;
    }
    address = run_end;
  }
}

Result<void, Errno> AddressSpace::SetRights(uint64_t begin, uint64_t end, Rights rights) {
  for (uint64_t address = begin; address < end;) {
    bool is_committed;
    const uint64_t run_end = committed_.RunEnd(address, end, &is_committed);
    if (is_committed && !gate::Protect(address, run_end - address, rights).ok()) {
      return Error(Errno::kEACCES);
    }
    address = run_end;
  }
  return {};
}

Result<void, Errno> AddressSpace::MakeUsable(uint64_t begin, uint64_t end, Rights rights,
                                             uint64_t ahead_end) {
  // What is committed already was committed ahead: it is zero and can be written.
  bool was_ahead = false;
  for (uint64_t address = begin; address < end;) {
    bool is_committed;
    uint64_t run_end = committed_.RunEnd(address, end, &is_committed);
    if (is_committed) {
      was_ahead = true;
    } else {
      uint64_t commit_end = run_end;
      if (run_end == end && IsWritable(rights) && ahead_end > end &&
          committed_.Reserve(end, ahead_end).ok()) {
        commit_end = committed_.RunEnd(address, ahead_end, &is_committed);
      }
      if (commit_end == run_end || !CommitRun(address, commit_end, rights).ok()) {
        TRY(CommitRun(address, run_end, rights));
      }
    }
    address = run_end;
  }
  return was_ahead && !IsWritable(rights) ? SetRights(begin, end, rights) : Result<void, Errno>();
}

// A new region, or the new end of one, gets its pages: at once when it is small, else as they are
// touched.
Result<void, Errno> AddressSpace::Prepare(Region& region, uint64_t begin, uint64_t end,
                                          uint64_t hole_end, bool populate) {
  if (region.rights == Rights::kNone || (end - begin > kEagerSize && !populate)) {
    TrimCommitted(begin, end);
    return {};
  }
  return MakeUsable(begin, end, region.rights, Smaller(hole_end, RoundUp(end, kLargePage)));
}

void AddressSpace::Zero(uint64_t begin, uint64_t end, Rights rights) {
  if (!IsWritable(rights) || end - begin > kClearSize) {
    TrimCommitted(begin, end);
    return;
  }
  for (uint64_t address = begin; address < end;) {
    bool is_committed;
    const uint64_t run_end = committed_.RunEnd(address, end, &is_committed);
    if (is_committed) {
      memset(reinterpret_cast<void*>(address), 0, run_end - address);
    }
    address = run_end;
  }
}

// A new region gets its pages, with what its file has now.
Result<void, Errno> AddressSpace::ReadFile(Region& region) {
  if (region.is_shared && region.file->is_coherent()) {
    // Whatever was committed ahead goes: pages come when they are touched.
    TrimCommitted(region.begin, region.end);
    TRY(lent_for_writing_.Reserve(region.begin, region.end));
    Share(region);
    return {};
  }
  RecallFromAll(*region.file, nullptr, region.file_offset, region.size(),
                MappedFile::Recall::kForReading);
  TRY(MakeUsable(region.begin, region.end, Rights::kReadWrite, 0));
  uint64_t done = 0;
  while (done < region.size()) {
    const std::span<std::byte> rest(reinterpret_cast<std::byte*>(region.begin + done),
                                    region.size() - done);
    const size_t read = TRY(region.file->ReadForMapping(region.file_offset + done, rest));
    if (read == 0) {
      break;
    }
    done += read;
  }
  region.file_bytes = done;
  return IsWritable(region.rights) ? Result<void, Errno>()
                                   : SetRights(region.begin, region.end, region.rights);
}

void AddressSpace::WriteBack(Region& region, uint64_t begin, uint64_t end) {
  if (region.is_coherent()) {
    return;  // who reads the file sees it anyhow
  }
  if (region.file == nullptr || !region.is_shared || !IsWritable(region.rights)) {
    return;
  }
  const uint64_t last = Smaller(end, region.begin + region.file_bytes);
  if (begin < last) {
    const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(begin), last - begin);
    // There is nobody left to tell of a failure: the file may be gone, and the mapping goes.
    static_cast<void>(
        region.file->WriteBack(region.file_offset + (begin - region.begin), data).ok());
  }
}

// ---- mmap, munmap, mprotect
// -----------------------------------------------------------------------------------

Result<uint64_t, Errno> AddressSpace::Map(MapRequest request) {
  const uint64_t size = PageSizeOf(request.size);
  if (size == 0) {
    return Error(request.size == 0 ? Errno::kEINVAL : Errno::kENOMEM);
  }
  SpinLockGuard guard(lock_);
  RegionTree::Hole place;
  if (request.placement == MapRequest::Placement::kAnywhere) {
    place = FindPlace(request, size);
    if (place.end == 0) {
      return Error(Errno::kENOMEM);
    }
  } else {
    if (!IsPageAligned(request.hint)) {
      return Error(Errno::kEINVAL);
    }
    if (!IsInside(request.hint, size) || request.hint + size > Space().program_limit()) {
      return Error(Errno::kENOMEM);
    }
    Region* in_the_way = regions_.FirstEndingAfter(request.hint);
    if (in_the_way != nullptr && in_the_way->begin < request.hint + size) {
      if (request.placement == MapRequest::Placement::kFixedNoReplace) {
        return Error(Errno::kEEXIST);
      }
      TRY(UnmapLocked(request.hint, request.hint + size));
    }
    place = {.begin = request.hint, .end = request.hint + size};
  }
  Region* region = TRY(AddRegion(request, place.begin, place.begin + size));
  auto prepared = request.file != nullptr
                      ? ReadFile(*region)
                      : Prepare(*region, region->begin, region->end, place.end, request.populate);
  const uint64_t address = region->begin;
  if (!prepared.ok()) {
    TrimCommitted(address, address + size);
    ForgetRegion(*region);
    return Error(prepared.error());
  }
  MergeWithNeighbours(*region);
  return address;
}

Result<void, Errno> AddressSpace::Unmap(uint64_t address, uint64_t size) {
  const uint64_t pages = PageSizeOf(size);
  if (!IsPageAligned(address) || pages == 0 || address > ~uint64_t{0} - pages) {
    return Error(Errno::kEINVAL);
  }
  // Elsewhere nothing is mapped that could be unmapped.
  const uint64_t begin = Larger(address, begin_);
  const uint64_t end = Smaller(address + pages, end_);
  if (begin >= end) {
    return {};
  }
  SpinLockGuard guard(lock_);
  return UnmapLocked(begin, end);
}

bool AddressSpace::UnmapFile(const MappedFile& file, uint64_t address, uint64_t size) {
  SpinLockGuard guard(lock_);
  Region* region = regions_.Find(address);
  if (region == nullptr || region->file != &file || region->begin != address ||
      region->file_offset != 0) {
    return false;
  }
  while (region != nullptr && region->begin - address < size) {
    const uint64_t next = region->end;
    if (region->file == &file && region->file_offset == region->begin - address) {
      CHECK(UnmapLocked(region->begin, next).ok());  // nothing to split, so no memory is needed
    }
    region = regions_.FirstEndingAfter(next);
  }
  return true;
}

Result<void, Errno> AddressSpace::UnmapLocked(uint64_t begin, uint64_t end) {
  TRY(SplitAt(begin));
  TRY(SplitAt(end));
  Region* region = regions_.FirstEndingAfter(begin);
  while (region != nullptr && region->begin < end) {
    const uint64_t next = region->end;
    WriteBack(*region, region->begin, region->end);
    if (region->is_coherent()) {
      RecallFrom(*region, region->begin, next, MappedFile::Recall::kForWriting);
    }
    TrimCommitted(region->begin, next);
    ForgetRegion(*region);
    region = regions_.FirstEndingAfter(next);
  }
  return {};
}

Result<void, Errno> AddressSpace::Protect(uint64_t address, uint64_t size, Rights rights) {
  if (!IsPageAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  if (size == 0) {
    return {};
  }
  const uint64_t pages = PageSizeOf(size);
  if (pages == 0 || address > ~uint64_t{0} - pages) {
    return Error(Errno::kENOMEM);
  }
  const uint64_t end = address + pages;
  if (address >= base_ && end <= begin_) {
    // The image: the SEH knows what it may have.
    return gate::Protect(address, pages, rights).transform_error([](Status status) {
      return status == Status::kPermissionDenied ? Errno::kEACCES : Errno::kENOMEM;
    });
  }
  if (!IsInside(address, pages)) {
    return Error(Errno::kENOMEM);
  }
  SpinLockGuard guard(lock_);
  TRY(CheckMappedLocked(address, end));
  TRY(SplitAt(address));
  TRY(SplitAt(end));
  for (uint64_t at = address; at < end;) {
    Region* region = regions_.Find(at);
    const uint64_t region_end = Smaller(region->end, end);
    if (region->is_coherent()) {
      // They come again, with these rights, when they are touched.
      RecallFrom(*region, at, region_end, MappedFile::Recall::kForWriting);
      region->rights = rights;
    } else if (region->rights != rights) {
      WriteBack(*region, region->begin, region->end);
      TRY(SetRights(at, region_end, rights));
      region->rights = rights;
      if (rights != Rights::kNone && region_end - at <= kEagerSize) {
        // Fresh memory is about to be used, a stack for example.
        for (uint64_t page = at; page < region_end;) {
          bool is_committed;
          const uint64_t run_end = committed_.RunEnd(page, region_end, &is_committed);
          if (!is_committed && !CommitRun(page, run_end, rights).ok()) {
            break;  // at the first touch there may be memory
          }
          page = run_end;
        }
      }
      MergeWithNeighbours(*region);
    }
    at = region_end;
  }
  return {};
}

// ---- mremap
// ---------------------------------------------------------------------------------------------------

Result<uint64_t, Errno> AddressSpace::Remap(const RemapRequest& request) {
  const uint64_t old_size = PageSizeOf(request.old_size);
  const uint64_t new_size = PageSizeOf(request.new_size);
  const uint64_t address = request.address;
  if (!IsPageAligned(address) || new_size == 0 || old_size == 0) {
    return Error(Errno::kEINVAL);
  }
  MapRequest moved = {.size = new_size};
  {
    SpinLockGuard guard(lock_);
    Region* region = IsInside(address, old_size) ? regions_.Find(address) : nullptr;
    if (region == nullptr || region->end < address + old_size) {
      return Error(Errno::kEFAULT);
    }
    if (request.keep_old && region->is_shared && region->file == nullptr) {
      return Error(Errno::kEINVAL);  // the old place would have to show the same pages
    }
    if (!request.is_fixed && !request.keep_old) {
      if (new_size <= old_size) {
        if (new_size < old_size) {
          TRY(UnmapLocked(address + new_size, address + old_size));
        }
        return address;
      }
      // In place, when nothing lies behind.
      const uint64_t end = address + old_size;
      const uint64_t more = new_size - old_size;
      if (region->end == end && region->kind == RegionKind::kAnonymous && IsInside(end, more)) {
        const RegionTree::Hole hole = regions_.FindHole(more, end, Space().program_limit());
        if (hole.end != 0 && hole.begin == end && TakeAddresses(end, end + more).ok()) {
          if (!Prepare(*region, end, end + more, hole.end, false).ok()) {
            TrimCommitted(end, end + more);
            return Error(Errno::kENOMEM);
          }
          regions_.Resize(*region, region->begin, end + more);
          mapped_bytes_ += more;
          MergeWithNeighbours(*region);
          return address;
        }
      }
      if (!request.may_move) {
        return Error(Errno::kENOMEM);
      }
    }
    if (region->file != nullptr && region->is_shared && !region->is_coherent()) {
      return Error(Errno::kENOMEM);  // the copy would not be written back
    }
    moved.rights = region->rights;
    moved.is_shared = region->is_shared;
    if (region->is_coherent()) {
      moved.file = region->file;
      moved.file_offset = region->file_offset + (address - region->begin);
      moved.file->AddMappingReference();
    }
  }
  if (request.is_fixed) {
    if (!IsPageAligned(request.new_address) ||
        (request.new_address < address + old_size && address < request.new_address + new_size)) {
      if (moved.file != nullptr) {
        moved.file->DropMappingReference();
      }
      return Error(Errno::kEINVAL);
    }
    moved.hint = request.new_address;
    moved.placement = MapRequest::Placement::kFixed;
  }
  if (moved.file != nullptr) {
    // Another mapping of the same pages.
    auto mapped = Map(moved);
    moved.file->DropMappingReference();
    const uint64_t place = TRY(std::move(mapped));
    if (!request.keep_old) {
      TRY(Unmap(address, old_size));
    }
    return place;
  }
  // Elsewhere: a new mapping, a copy, and the old one goes. Not under the lock for so long; a
  // program that changes the old mapping meanwhile loses what it does, as it would with Linux.
  const Rights rights = moved.rights;
  moved.rights = Rights::kReadWrite;
  const uint64_t target = TRY(Map(moved));
  const uint64_t copied = Smaller(old_size, new_size);
  for (uint64_t offset = 0; offset < copied;) {
    bool is_committed;
    uint64_t run_end;
    {
      SpinLockGuard guard(lock_);
      run_end = committed_.RunEnd(address + offset, address + copied, &is_committed);
      if (is_committed && rights == Rights::kNone) {
        TRY(SetRights(address + offset, run_end, Rights::kRead));
      }
    }
    const uint64_t run = run_end - (address + offset);
    if (is_committed &&
        libos_user_copy(reinterpret_cast<void*>(target + offset),
                        reinterpret_cast<const void*>(address + offset), run) != 0) {
      static_cast<void>(Unmap(target, new_size).ok());
      return Error(Errno::kEFAULT);
    }
    offset += run;
  }
  if (rights != Rights::kReadWrite) {
    TRY(Protect(target, new_size, rights));
  }
  if (request.keep_old) {
    TRY(Discard(address, old_size));
  } else {
    TRY(Unmap(address, old_size));
  }
  return target;
}

// ---- the rest
// -------------------------------------------------------------------------------------------------

Result<void, Errno> AddressSpace::Discard(uint64_t address, uint64_t size) {
  const uint64_t pages = RoundUp(size, kPage);
  if (!IsPageAligned(address) || pages < size || address > ~uint64_t{0} - pages) {
    return Error(Errno::kEINVAL);
  }
  const uint64_t end = address + pages;
  if (address >= base_ && end <= begin_) {
    return Error(Errno::kEINVAL);  // the image has nothing to fall back on
  }
  if (!IsInside(address, pages)) {
    return Error(Errno::kENOMEM);
  }
  SpinLockGuard guard(lock_);
  for (uint64_t at = address; at < end;) {
    Region* region = regions_.FirstEndingAfter(at);
    if (region == nullptr || region->begin >= end) {
      break;
    }
    const uint64_t first = Larger(at, region->begin);
    const uint64_t last = Smaller(region->end, end);
    if (region->file == nullptr) {
      Zero(first, last, region->rights);
    } else if (region->is_coherent()) {
      RecallFrom(*region, first, last, MappedFile::Recall::kForWriting);
    } else if (!region->is_shared && IsWritable(region->rights)) {
      // A private mapping shows the file again.
      const std::span<std::byte> memory(reinterpret_cast<std::byte*>(first), last - first);
      RecallFromAll(*region->file, nullptr, region->file_offset + (first - region->begin),
                    last - first, MappedFile::Recall::kForReading);
      memset(memory.data(), 0, memory.size());
      static_cast<void>(
          TRY(region->file->ReadForMapping(region->file_offset + (first - region->begin), memory)));
    }
    at = last;
  }
  return CheckMappedLocked(address, end);
}

Result<void, Errno> AddressSpace::Synchronize(uint64_t address, uint64_t size) {
  const uint64_t pages = RoundUp(size, kPage);
  if (!IsPageAligned(address) || pages < size || address > ~uint64_t{0} - pages) {
    return Error(Errno::kEINVAL);
  }
  const uint64_t end = address + pages;
  SpinLockGuard guard(lock_);
  TRY(CheckMappedLocked(address, end));
  for (uint64_t at = address; at < end;) {
    Region* region = regions_.Find(at);
    const uint64_t last = Smaller(region->end, end);
    if (region->is_coherent()) {
      // For the file's times: the next write is noticed again.
      RecallFrom(*region, at, last, MappedFile::Recall::kForReading);
    } else {
      WriteBack(*region, at, last);
    }
    at = last;
  }
  return {};
}

void AddressSpace::SynchronizeAll() {
  SpinLockGuard guard(lock_);
  for (Region* region = regions_.FirstEndingAfter(0); region != nullptr;
       region = regions_.FirstEndingAfter(region->end)) {
    WriteBack(*region, region->begin, region->end);
  }
}

Result<void, Errno> AddressSpace::CheckMapped(uint64_t address, uint64_t size) {
  if (size > ~uint64_t{0} - kPage || address > ~uint64_t{0} - kPage - size) {
    return Error(Errno::kENOMEM);
  }
  const uint64_t begin = RoundDown(address, kPage);
  const uint64_t end = RoundUp(address + size, kPage);
  if (begin >= base_ && end <= begin_) {
    return {};
  }
  SpinLockGuard guard(lock_);
  return CheckMappedLocked(begin, end);
}

Result<bool, Errno> AddressSpace::IsResident(uint64_t page) {
  if (page >= base_ && page < begin_) {
    return true;
  }
  SpinLockGuard guard(lock_);
  TRY(CheckMappedLocked(page, page + kPage));
  return committed_.IsCommitted(page);
}

uint64_t AddressSpace::Break(uint64_t wanted) {
  SpinLockGuard guard(lock_);
  if (wanted < begin_ || wanted > break_limit_) {
    return break_;
  }
  const uint64_t old_end = RoundUp(break_, kPage);
  const uint64_t new_end = RoundUp(wanted, kPage);
  if (new_end > old_end) {
    const RegionTree::Hole hole = regions_.FindHole(new_end - old_end, old_end, break_limit_);
    if (hole.end == 0 || hole.begin != old_end) {
      return break_;  // the program has mapped something there
    }
    MapRequest request;
    request.rights = Rights::kReadWrite;
    auto added = AddRegion(request, old_end, new_end);
    if (!added.ok()) {
      return break_;
    }
    Region& region = *added.value();
    if (!Prepare(region, old_end, new_end, hole.end, false).ok()) {
      TrimCommitted(old_end, new_end);
      ForgetRegion(region);
      return break_;
    }
    MergeWithNeighbours(region);
  } else if (new_end < old_end && !UnmapLocked(new_end, old_end).ok()) {
    return break_;
  }
  break_ = wanted;
  return break_;
}

FaultResult AddressSpace::ResolveFault(uint64_t address, Access access) {
  if (address - base_ >= end_ - base_) {
    return FaultResult::kNotMapped;
  }
  if (address < begin_) {
    return FaultResult::kNotPermitted;  // the image and what the SEH made: all of it is there, with
                                        // the rights it has
  }
  SpinLockGuard guard(lock_);
  Region* region = regions_.Find(address);
  if (region == nullptr) {
    return FaultResult::kNotMapped;
  }
  if (!Permits(region->rights, access)) {
    return FaultResult::kNotPermitted;
  }
  const uint64_t page = RoundDown(address, kPage);
  if (region->is_coherent()) {
    return ResolveSharedFault(*region, page, access);
  }
  if (committed_.IsCommitted(page)) {
    return FaultResult::kResolved;  // another thread was faster
  }
  // The uncommitted pages around it, in the same large page.
  bool is_committed;
  const uint64_t block = RoundDown(address, kLargePage);
  const uint64_t last =
      committed_.RunEnd(page, Smaller(region->end, block + kLargePage), &is_committed);
  uint64_t first = page;
  while (first > Larger(region->begin, block) && !committed_.IsCommitted(first - kPage)) {
    first -= kPage;
  }
  if (CommitRun(first, last, region->rights).ok() ||
      CommitRun(page, page + kPage, region->rights).ok()) {
    return FaultResult::kResolved;
  }
  return FaultResult::kOutOfMemory;
}

bool AddressSpace::NextMapping(uint64_t address, Mapping* mapping) {
  SpinLockGuard guard(lock_);
  const Region* region = regions_.FirstEndingAfter(address);
  if (region == nullptr) {
    return false;
  }
  *mapping = {.begin = region->begin,
              .end = region->end,
              .rights = region->rights,
              .kind = region->kind,
              .is_shared = region->is_shared,
              .file_offset = region->file_offset};
  return true;
}

uint64_t AddressSpace::mapped_bytes() {
  SpinLockGuard guard(lock_);
  return mapped_bytes_;
}

uint64_t AddressSpace::committed_bytes() {
  SpinLockGuard guard(lock_);
  return committed_bytes_;
}

uint64_t AddressSpace::peak_committed_bytes() {
  SpinLockGuard guard(lock_);
  return peak_committed_bytes_;
}

namespace {
constinit AddressSpace address_space;
}  // namespace

AddressSpace& Memory() { return address_space; }

}  // namespace nsgx::libos
