// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/fake_heap.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define NSGX_POISON(address, size) ASAN_POISON_MEMORY_REGION(address, size)
#define NSGX_UNPOISON(address, size) ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif
#endif
#ifndef NSGX_POISON
#define NSGX_POISON(address, size) static_cast<void>(0)
#define NSGX_UNPOISON(address, size) static_cast<void>(0)
#endif

namespace nsgx::libos {
namespace {

constexpr size_t kArenaPages = 1 << 17;  // 512 MiB of addresses
constexpr size_t kLargeAlignment = 64;
constexpr int kGarbage = 0xa5;

struct Heap {
  std::mutex mutex;
  size_t objects = 0;
  size_t pages = 0;
  uint64_t allowed = UINT64_MAX;
  size_t page_limit = kArenaPages;
  // Pages are handed out round the arena, so that one given back is not had again soon.
  std::byte* arena = nullptr;
  std::vector<bool> used = std::vector<bool>(kArenaPages);
  size_t next = 0;

  bool Take() {
    if (allowed == 0) {
      return false;
    }
    if (allowed != UINT64_MAX) {
      --allowed;
    }
    return true;
  }
};

Heap& TheHeap() {
  static Heap* heap = new Heap;  // used until the process ends
  return *heap;
}

size_t FindRun(Heap& heap, size_t count) {
  for (size_t tried = 0, at = heap.next; tried < 2 * kArenaPages; ++tried) {
    if (at + count > kArenaPages) {
      at = 0;
    }
    size_t free = 0;
    while (free < count && !heap.used[at + free]) {
      ++free;
    }
    if (free == count) {
      return at;
    }
    at += free + 1;
  }
  return kArenaPages;
}

}  // namespace

void* KernelAllocate(size_t size) {
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  if (!heap.Take()) {
    return nullptr;
  }
  ++heap.objects;
  void* memory = nullptr;
  const size_t wanted = size == 0 ? 1 : size;
  if (size >= kLargeAlignment) {
    CHECK(posix_memalign(&memory, kLargeAlignment, wanted) == 0);
  } else {
    memory = std::malloc(wanted);
  }
  std::memset(memory, kGarbage, wanted);
  return memory;
}

void KernelFree(void* memory) {
  if (memory == nullptr) {
    return;
  }
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  CHECK(heap.objects != 0);
  --heap.objects;
  std::free(memory);
}

std::byte* KernelAllocatePages(size_t count, PageContents contents) {
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  CHECK(count != 0);
  if (heap.arena == nullptr) {
    void* const memory = mmap(nullptr, kArenaPages * kPageSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    heap.arena = static_cast<std::byte*>(memory);
    NSGX_POISON(memory, kArenaPages * kPageSize);
  }
  if (!heap.Take() || count > heap.page_limit || heap.pages > heap.page_limit - count) {
    return nullptr;
  }
  const size_t at = FindRun(heap, count);
  CHECK(at != kArenaPages);
  for (size_t i = 0; i < count; ++i) {
    heap.used[at + i] = true;
  }
  heap.next = at + count;
  heap.pages += count;
  std::byte* const pages = heap.arena + at * kPageSize;
  NSGX_UNPOISON(pages, count * kPageSize);
  std::memset(pages, contents == PageContents::kZero ? 0 : kGarbage, count * kPageSize);
  return pages;
}

void KernelFreePages(std::byte* pages, size_t count) {
  if (count == 0) {
    return;
  }
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  const size_t at = static_cast<size_t>(pages - heap.arena) / kPageSize;
  CHECK(at < kArenaPages && (pages - heap.arena) % static_cast<ptrdiff_t>(kPageSize) == 0);
  for (size_t i = 0; i < count; ++i) {
    CHECK(heap.used[at + i]);
    heap.used[at + i] = false;
  }
  heap.pages -= count;
  NSGX_POISON(pages, count * kPageSize);
}

KernelHeapStats GetKernelHeapStats() {
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  return {.committed_bytes = heap.pages * kPageSize, .used_bytes = heap.pages * kPageSize};
}

namespace testing {

HeapUse heap_use() {
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  return {.objects = heap.objects, .pages = heap.pages};
}

void FailAllocationsAfter(uint64_t count) {
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  heap.allowed = count;
}

void StopFailingAllocations() { FailAllocationsAfter(UINT64_MAX); }

void LimitPages(size_t count) {
  Heap& heap = TheHeap();
  std::lock_guard lock(heap.mutex);
  heap.page_limit = count;
}

void UnlimitPages() { LimitPages(kArenaPages); }

}  // namespace testing
}  // namespace nsgx::libos
