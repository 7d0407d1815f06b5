// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/page_heap.h"

#include <cstring>
#include <new>

#include "base/core/check.h"
#include "libos/kernel/gate.h"
#include "libos/mm/space_limit.h"

namespace nsgx::libos {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kUsable = kArenaPages - 1;  // without the header
constexpr size_t kSlabsPerArena = kArenaPages / kSlabPages;

size_t RoundToArenas(size_t count) {
  return (count * kPage + kArenaSize - 1) / kArenaSize * kArenaSize;
}

size_t IndexOf(const void* address) {
  return static_cast<size_t>((reinterpret_cast<uint64_t>(address) & (kArenaSize - 1)) / kPage);
}

}  // namespace

bool PageHeap::IsInSlab(const void* object) {
  return (ArenaOf(object).slabs >> (IndexOf(object) / kSlabPages) & 1) != 0;
}

// Addresses, 2 MiB aligned, with fresh memory behind them; 0: none.
uint64_t PageHeap::CommitRange(size_t size) {
  uint64_t address = 0;
  for (size_t i = 0; i < free_range_count_ && address == 0; ++i) {
    if (free_ranges_[i].size == size) {
      address = free_ranges_[i].address;
      free_ranges_[i] = free_ranges_[--free_range_count_];
    }
  }
  if (address == 0) {
    address = Space().Grow(size);
  }
  if (address == 0) {
    return 0;
  }
  if (!gate::Commit(address, size, gate::Rights::kReadWrite).ok()) {
    if (free_range_count_ < kMaxFreeRanges) {
      free_ranges_[free_range_count_++] = {.address = address, .size = size};
    }
    return 0;
  }
  committed_bytes_ += size;
  return address;
}

// Gives the memory back and keeps the addresses. False: it stays as it is.
bool PageHeap::ReleaseRange(uint64_t address, size_t size) {
  if (free_range_count_ == kMaxFreeRanges || !gate::Trim(address, size).ok()) {
    return false;
  }
  committed_bytes_ -= size;
  free_ranges_[free_range_count_++] = {.address = address, .size = size};
  return true;
}

Arena* PageHeap::NewArena() {
  const uint64_t address = CommitRange(kArenaSize);
  if (address == 0) {
    return nullptr;
  }
  Arena* arena = ::new (reinterpret_cast<void*>(address)) Arena{};
  BitmapView(arena->used, kArenaPages).Set(0);
  arenas_.PushFront(*arena);
  ++empty_arenas_;
  return arena;
}

bool PageHeap::Take(Arena& arena, size_t first, size_t count) {
  if (arena.used_pages == 0) {
    --empty_arenas_;
  }
  BitmapView(arena.used, kArenaPages).SetRange(first, count);
  arena.used_pages += static_cast<uint32_t>(count);
  used_bytes_ += count * kPage;
  if (arena.used_pages == kUsable) {
    arenas_.Erase(arena);
    full_.PushBack(arena);
  }
  BitmapView dirty(arena.dirty, kArenaPages);
  const bool any_dirty = dirty.FindSet(first).value_or(kArenaPages) < first + count;
  dirty.SetRange(first, count);
  return any_dirty;
}

void PageHeap::GiveBack(Arena& arena, size_t first, size_t count) {
  BitmapView used(arena.used, kArenaPages);
  CHECK(used.FindClear(first).value_or(kArenaPages) >= first + count);
  used.ClearRange(first, count);
  if (arena.used_pages == kUsable) {
    full_.Erase(arena);
    arenas_.PushBack(arena);
  }
  arena.used_pages -= static_cast<uint32_t>(count);
  used_bytes_ -= count * kPage;
  if (arena.used_pages != 0) {
    return;
  }
  ++empty_arenas_;
  if (empty_arenas_ > kSpareArenas) {
    arenas_.Erase(arena);
    if (ReleaseRange(reinterpret_cast<uint64_t>(&arena), kArenaSize)) {
      --empty_arenas_;
    } else {
      arenas_.PushBack(arena);
    }
  }
}

std::byte* PageHeap::Allocate(size_t count, PageContents contents) {
  CHECK(count != 0);
  std::byte* pages = nullptr;
  bool any_dirty = false;
  {
    SpinLockGuard guard(lock_);
    if (count > kMaxShortRun) {
      const size_t size = RoundToArenas(count);
      const uint64_t address = size / kPage < count ? 0 : CommitRange(size);
      used_bytes_ += address != 0 ? size : 0;
      return reinterpret_cast<std::byte*>(address);
    }
    Arena* arena = nullptr;
    size_t first = 0;
    for (Arena& candidate : arenas_) {
      auto found = BitmapView(candidate.used, kArenaPages).FindClearRun(count, 0);
      if (found.ok()) {
        arena = &candidate;
        first = found.value();
        break;
      }
    }
    if (arena == nullptr) {
      arena = NewArena();
      first = 1;
    }
    if (arena == nullptr) {
      return nullptr;
    }
    any_dirty = Take(*arena, first, count);
    pages = reinterpret_cast<std::byte*>(arena) + first * kPage;
  }
  if (any_dirty && contents == PageContents::kZero) {
    memset(pages, 0, count * kPage);
  }
  return pages;
}

void PageHeap::Free(std::byte* pages, size_t count) {
  SpinLockGuard guard(lock_);
  if (IsLongRun(pages)) {
    const size_t size = RoundToArenas(count);
    used_bytes_ -= size;
    if (!ReleaseRange(reinterpret_cast<uint64_t>(pages), size)) {
      // Its first arena's worth can serve as one; the rest would need a header each, and gets one.
      for (size_t offset = 0; offset < size; offset += kArenaSize) {
        Arena* arena = ::new (static_cast<void*>(pages + offset)) Arena{};
        BitmapView(arena->used, kArenaPages).Set(0);
        BitmapView(arena->dirty, kArenaPages).SetRange(0, kArenaPages);
        arenas_.PushBack(*arena);
        ++empty_arenas_;
      }
    }
    return;
  }
  GiveBack(ArenaOf(pages), IndexOf(pages), count);
}

std::byte* PageHeap::AllocateSlab() {
  SpinLockGuard guard(lock_);
  Arena* arena = nullptr;
  size_t slab = 0;
  for (Arena& candidate : arenas_) {
    // The first run has the header in it.
    for (size_t i = 1; i < kSlabsPerArena && arena == nullptr; ++i) {
      constexpr uint64_t kMask = (uint64_t{1} << kSlabPages) - 1;
      const size_t bit = i * kSlabPages;
      if ((candidate.used[bit / 64] >> (bit % 64) & kMask) == 0) {
        arena = &candidate;
        slab = i;
      }
    }
    if (arena != nullptr) {
      break;
    }
  }
  if (arena == nullptr) {
    arena = NewArena();
    slab = 1;
  }
  if (arena == nullptr) {
    return nullptr;
  }
  Take(*arena, slab * kSlabPages, kSlabPages);
  arena->slabs |= uint32_t{1} << slab;
  return reinterpret_cast<std::byte*>(arena) + slab * kSlabSize;
}

void PageHeap::FreeSlab(std::byte* slab) {
  SpinLockGuard guard(lock_);
  Arena& arena = ArenaOf(slab);
  arena.slabs &= ~(uint32_t{1} << (IndexOf(slab) / kSlabPages));
  GiveBack(arena, IndexOf(slab), kSlabPages);
}

KernelHeapStats PageHeap::stats() {
  SpinLockGuard guard(lock_);
  return {.committed_bytes = committed_bytes_, .used_bytes = used_bytes_};
}

namespace {
[[clang::no_destroy]] constinit PageHeap page_heap;
}  // namespace

PageHeap& Pages() { return page_heap; }

std::byte* KernelAllocatePages(size_t count, PageContents contents) {
  return Pages().Allocate(count, contents);
}
void KernelFreePages(std::byte* pages, size_t count) { Pages().Free(pages, count); }
KernelHeapStats GetKernelHeapStats() { return Pages().stats(); }

}  // namespace nsgx::libos
