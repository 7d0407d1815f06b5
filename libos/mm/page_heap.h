// SPDX-License-Identifier: Apache-2.0
// Below kernel_heap.h: arenas of 2 MiB, committed whole, and pages taken from them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/bitmap.h"
#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

inline constexpr size_t kArenaSize = size_t{2} << 20;
inline constexpr size_t kArenaPages = kArenaSize / 4096;
inline constexpr size_t kSlabPages = 16;
inline constexpr size_t kSlabSize = kSlabPages * 4096;

// At the start of each arena; its own page is taken.
struct Arena : ListNode<> {
  uint64_t used[kArenaPages / 64];   // bit n: page n is taken
  uint64_t dirty[kArenaPages / 64];  // bit n: page n may hold something else than zeros
  uint32_t used_pages;
  uint32_t slabs;  // bit n: the n-th run of kSlabPages is a slab
};
static_assert(sizeof(Arena) <= 4096);

class PageHeap {
 public:
  constexpr PageHeap() = default;
  PageHeap(const PageHeap&) = delete;
  PageHeap& operator=(const PageHeap&) = delete;

  std::byte* Allocate(size_t count, PageContents contents);
  void Free(std::byte* pages, size_t count);
  // kSlabPages pages, aligned to their size; their contents are unknown.
  std::byte* AllocateSlab();
  void FreeSlab(std::byte* slab);

  // A run that is longer than an arena begins where an arena's header would lie.
  static bool IsLongRun(const std::byte* pages) {
    return (reinterpret_cast<uint64_t>(pages) & (kArenaSize - 1)) == 0;
  }
  static bool IsInSlab(const void* object);

  KernelHeapStats stats();

 private:
  struct FreeRange {
    uint64_t address;
    size_t size;
  };
  static constexpr size_t kMaxFreeRanges = 64;
  // Longest run that comes out of an arena.
  static constexpr size_t kMaxShortRun = 256;
  // Empty arenas that are kept although nobody needs them now.
  static constexpr uint32_t kSpareArenas = 4;

  static Arena& ArenaOf(const void* address) {
    return *reinterpret_cast<Arena*>(reinterpret_cast<uint64_t>(address) &
                                     ~uint64_t{kArenaSize - 1});
  }

  uint64_t CommitRange(size_t size) REQUIRES(lock_);
  bool ReleaseRange(uint64_t address, size_t size) REQUIRES(lock_);
  Arena* NewArena() REQUIRES(lock_);
  // Marks pages taken; true when some of them may hold something else than zeros.
  bool Take(Arena& arena, size_t first, size_t count) REQUIRES(lock_);
  void GiveBack(Arena& arena, size_t first, size_t count) REQUIRES(lock_);

  SpinLock lock_;
  IntrusiveList<Arena> arenas_ GUARDED_BY(lock_);  // with free pages
  IntrusiveList<Arena> full_ GUARDED_BY(lock_);
  uint32_t empty_arenas_ GUARDED_BY(lock_) = 0;
  // Addresses whose memory was given back, to be used again for the same size.
  FreeRange free_ranges_[kMaxFreeRanges] GUARDED_BY(lock_) = {};
  size_t free_range_count_ GUARDED_BY(lock_) = 0;
  uint64_t committed_bytes_ GUARDED_BY(lock_) = 0;
  uint64_t used_bytes_ GUARDED_BY(lock_) = 0;
};

PageHeap& Pages();

}  // namespace nsgx::libos
