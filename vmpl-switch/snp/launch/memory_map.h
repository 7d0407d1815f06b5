// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/range.h"
#include "base/core/result.h"
#include "base/core/static_vector.h"
#include "vmpl-switch/abi/igvm.h"

namespace nsgx::snp {

using GuestPageRange = PageRange<GuestPhysTag>;

// RAM of the machine, ascending, without overlaps.
class MemoryMap {
 public:
  static constexpr size_t kMaxRanges = 64;

  constexpr MemoryMap() = default;

  // Reads the parameter page that the host has filled in: entries up to one of no pages, or up to
  // the end. Only RAM is taken in, and of that only what lies below `limit`.
  //
  // Errors: kMalformed   entries that wrap, overlap or do not ascend; no RAM.
  //         kOutOfRange  more ranges than are kept.
  // Trust:  the page is the host's.
  Result<void> Read(std::span<const igvm_memory_map_entry> entries, GuestPhys limit);

  // Becomes the same as `other`.
  void CopyFrom(const MemoryMap& other);

  // Takes `hole` out. Errors: kOutOfRange  it would make more ranges than are kept.
  Result<void> Exclude(const GuestPageRange& hole);

  std::span<const GuestPageRange> ranges() const { return ranges_.span(); }
  GuestPhys end() const {
    return ranges_.is_empty() ? GuestPhys() : ranges_[ranges_.size() - 1].end_address();
  }
  bool Contains(const GuestPageRange& range) const;

 private:
  StaticVector<GuestPageRange, kMaxRanges> ranges_;
};

}  // namespace nsgx::snp
