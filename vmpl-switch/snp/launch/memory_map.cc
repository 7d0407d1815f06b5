// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/launch/memory_map.h"

#include <algorithm>

namespace nsgx::snp {

Result<void> MemoryMap::Read(std::span<const igvm_memory_map_entry> entries, GuestPhys limit) {
  CHECK(limit.is_page_aligned());
  ranges_.Clear();
  GuestPhys previous_end;
  for (const igvm_memory_map_entry& entry : entries) {
    if (entry.page_count == 0) {
      break;
    }
    const Result<uint64_t> first = CheckedMul(entry.first_page, kPageSize);
    if (!first.ok()) {
      return Error(Status::kMalformed);
    }
    const Result<GuestPageRange> range =
        GuestPageRange::OfPages(GuestPhys(first.value()), entry.page_count);
    if (!range.ok() || range.value().address() < previous_end) {
      return Error(Status::kMalformed);
    }
    previous_end = range.value().end_address();
    if (entry.type != IGVM_MEMORY_RAM || range.value().address() >= limit) {
      continue;
    }
    const GuestPhys end = std::min(range.value().end_address(), limit);
    if (!ranges_
             .PushBack(GuestPageRange::Make(range.value().address(), end - range.value().address())
                           .value())
             .ok()) {
      return Error(Status::kOutOfRange);
    }
  }
  if (ranges_.is_empty()) {
    return Error(Status::kMalformed);
  }
  return {};
}

void MemoryMap::CopyFrom(const MemoryMap& other) {
  ranges_.Clear();
  for (const GuestPageRange& range : other.ranges_) {
    ranges_.PushBack(range).value();
  }
}

Result<void> MemoryMap::Exclude(const GuestPageRange& hole) {
  StaticVector<GuestPageRange, kMaxRanges> kept;
  const auto keep = [&kept](GuestPhys begin, GuestPhys end) -> Result<void> {
    if (begin >= end) {
      return {};
    }
    if (!kept.PushBack(GuestPageRange::Make(begin, end - begin).value()).ok()) {
      return Error(Status::kOutOfRange);
    }
    return {};
  };
  for (const GuestPageRange& range : ranges_) {
    if (!range.Overlaps(hole)) {
      TRY(keep(range.address(), range.end_address()));
      continue;
    }
    TRY(keep(range.address(), std::min(range.end_address(), hole.address())));
    TRY(keep(std::max(range.address(), hole.end_address()), range.end_address()));
  }
  ranges_.Clear();
  for (const GuestPageRange& range : kept) {
    TRY(ranges_.PushBack(range));
  }
  return {};
}

bool MemoryMap::Contains(const GuestPageRange& range) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&range](const GuestPageRange& ram) { return ram.Contains(range); });
}

}  // namespace nsgx::snp
