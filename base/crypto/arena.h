// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/spinlock.h"

namespace nsgx {

// Memory of fixed size behind calloc() and free(), for a library that cannot do without them in a
// world that has no heap. First fit, for a handful of short-lived blocks.
//
// Free memory is all zero: what is given back is overwritten at once, so that no secret outlives
// its block. Running out is an ordinary answer. Safe to use from several processors.
class Arena {
 public:
  static constexpr size_t kAlignment = 16;

  // Requires: `memory` is zero, starts and ends at a multiple of kAlignment, and lives as long as
  //           the arena.
  constexpr explicit Arena(std::span<std::byte> memory) : memory_(memory) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Returns `count` times `size` bytes of zeros, aligned to kAlignment, or null when there is no
  // room or the product overflows.
  void* Allocate(size_t count, size_t size) EXCLUDES(lock_);

  // Takes back what Allocate gave. Null is ignored; anything else is our bug.
  void Free(void* memory) EXCLUDES(lock_);

  // Return the bytes in use now, and the most that ever were, counting the headers of blocks.
  size_t used() const EXCLUDES(lock_);
  size_t peak() const EXCLUDES(lock_);

 private:
  struct Block;

  Block& BlockAt(size_t offset) const REQUIRES(lock_);
  size_t SizeAt(size_t offset) const REQUIRES(lock_);
  void MergeFreeBlocks() REQUIRES(lock_);

  mutable SpinLock lock_;
  const std::span<std::byte> memory_;
  size_t used_ GUARDED_BY(lock_) = 0;
  size_t peak_ GUARDED_BY(lock_) = 0;
};

}  // namespace nsgx
