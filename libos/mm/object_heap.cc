// SPDX-License-Identifier: Apache-2.0
// Objects of the library OS: slabs of one size each for small ones, runs of pages for the rest.
#include <bit>
#include <new>

#include "base/core/check.h"
#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/mm/kernel_heap.h"
#include "libos/mm/page_heap.h"

namespace nsgx::libos {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHeaderSize = 64;

// Sizes that objects are rounded up to. From 64 on they are multiples of 64, and so is every
// object's address.
constexpr size_t kSizes[] = {16,  32,  48,  64,   128,  192,  256,  320,  384,  448,  512,
                             640, 768, 960, 1280, 1600, 2048, 2624, 3264, 4352, 6528, 8128};
constexpr size_t kClasses = std::size(kSizes);
constexpr size_t kMaxSmall = kSizes[kClasses - 1];

struct FreeObject {
  FreeObject* next;
};

// At the start of each slab.
struct Slab : ListNode<> {
  uint32_t size_class;
  uint32_t used;
  uint32_t fresh;  // objects behind this index have never been handed out
  uint32_t capacity;
  FreeObject* free;
};
static_assert(sizeof(Slab) <= kHeaderSize);

// At the start of a run of pages with one large object in it.
struct LargeHeader {
  uint64_t pages;
};

struct alignas(64) SizeClass {
  SpinLock lock;
  IntrusiveList<Slab> partial GUARDED_BY(lock);  // with room
  uint32_t empty_slabs GUARDED_BY(lock) = 0;     // among them, those without a single object
};

[[clang::no_destroy]] constinit SizeClass classes[kClasses];

// Index of the smallest size that is not below 16 * n.
constexpr auto kClassOf = [] {
  struct Map {
    uint8_t of[kMaxSmall / 16 + 1];
  } map = {};
  size_t index = 0;
  for (size_t n = 0; n <= kMaxSmall / 16; ++n) {
    while (kSizes[index] < n * 16) {
      ++index;
    }
    map.of[n] = static_cast<uint8_t>(index);
  }
  return map;
}();

std::byte* ObjectAt(Slab& slab, size_t index) {
  return reinterpret_cast<std::byte*>(&slab) + kHeaderSize + index * kSizes[slab.size_class];
}

void* AllocateLarge(size_t size) {
  const size_t pages = (size + kHeaderSize + kPage - 1) / kPage;
  if (pages * kPage < size) {
    return nullptr;
  }
  std::byte* memory = KernelAllocatePages(pages, PageContents::kAny);
  if (memory == nullptr) {
    return nullptr;
  }
  ::new (static_cast<void*>(memory)) LargeHeader{.pages = pages};
  return memory + kHeaderSize;
}

}  // namespace

void* KernelAllocate(size_t size) {
  if (size > kMaxSmall) {
    return AllocateLarge(size);
  }
  const uint32_t index = kClassOf.of[(size + 15) / 16];
  SizeClass& size_class = classes[index];
  SpinLockGuard guard(size_class.lock);
  Slab* slab = size_class.partial.Front();
  if (slab == nullptr) {
    std::byte* memory = Pages().AllocateSlab();
    if (memory == nullptr) {
      return nullptr;
    }
    slab = ::new (static_cast<void*>(memory)) Slab{};
    slab->size_class = index;
    slab->capacity = static_cast<uint32_t>((kSlabSize - kHeaderSize) / kSizes[index]);
    size_class.partial.PushFront(*slab);
    ++size_class.empty_slabs;
  }
  if (slab->used == 0) {
    --size_class.empty_slabs;
  }
  void* object;
  if (slab->free != nullptr) {
    object = slab->free;
    slab->free = slab->free->next;
  } else {
    object = ObjectAt(*slab, slab->fresh++);
  }
  if (++slab->used == slab->capacity) {
    size_class.partial.Erase(*slab);
  }
  return object;
}

void KernelFree(void* memory) {
  if (memory == nullptr) {
    return;
  }
  std::byte* pages = static_cast<std::byte*>(memory) - kHeaderSize;
  if (PageHeap::IsLongRun(pages) || !PageHeap::IsInSlab(memory)) {
    KernelFreePages(pages, reinterpret_cast<LargeHeader*>(pages)->pages);
    return;
  }
  Slab& slab =
      *reinterpret_cast<Slab*>(reinterpret_cast<uint64_t>(memory) & ~uint64_t{kSlabSize - 1});
  SizeClass& size_class = classes[slab.size_class];
  SpinLockGuard guard(size_class.lock);
  CHECK(slab.used != 0);
  FreeObject* object = ::new (memory) FreeObject{.next = slab.free};
  slab.free = object;
  if (slab.used-- == slab.capacity) {
    size_class.partial.PushFront(slab);
  }
  if (slab.used == 0) {
    // One empty slab is kept for the next time.
    if (size_class.empty_slabs != 0) {
      size_class.partial.Erase(slab);
      slab.~Slab();
      Pages().FreeSlab(reinterpret_cast<std::byte*>(&slab));
    } else {
      ++size_class.empty_slabs;
    }
  }
}

}  // namespace nsgx::libos
