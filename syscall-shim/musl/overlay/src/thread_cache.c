/* SPDX-License-Identifier: Apache-2.0 */
/* malloc and free: blocks that each thread keeps when it frees them, in front of musl's allocator
 * (mallocng), which has one lock for everything. Most calls touch the calling thread's cache and
 * nothing else. mallocng is unchanged; to it, a block in a cache is in use.
 *
 * Its defences hold. All that is kept about a free block lies outside of it, in the cache. The
 * header before a block that is freed is overwritten as mallocng does it: to free the block again,
 * or to resize it, ends the program.
 *
 * Caches begin small, grow where they are used, and hold less the more threads there are. A thread
 * that allocates little has none. */
#define _BSD_SOURCE /* for mallocng */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mallocng/meta.h"
#include "pthread_impl.h"

/* mallocng's own functions, here and with these names. */
static void* block_malloc(size_t size);
static void block_free(void* block);
#undef malloc
#undef free
#define malloc block_malloc
#define free block_free
// NOLINTBEGIN(bugprone-suspicious-include)
#include "mallocng/free.c"
#include "mallocng/malloc.c"
// NOLINTEND(bugprone-suspicious-include)
#undef malloc
#undef free

/* Size classes are mallocng's, those up to 64 KiB; larger blocks are not kept. */
enum { kClasses = 44, kLargest = 4095 * UNIT - IB };

/* Where the blocks of each class lie in a cache, and so how many it can hold: 64 of up to 1 KiB, 32
 * of up to 8 KiB, 8 of the others. */
static const uint16_t kPlace[kClasses + 1] = {
    0,    64,   128,  192,  256,  320,  384,  448,  512,  576,  640,  704,  768,  832,  896,
    960,  1024, 1088, 1152, 1216, 1280, 1312, 1344, 1376, 1408, 1440, 1472, 1504, 1536, 1568,
    1600, 1632, 1664, 1672, 1680, 1688, 1696, 1704, 1712, 1720, 1728, 1736, 1744, 1752, 1760};
enum { kPlaces = 1760 };

/* A block in a cache: the address of its slot, and above that the slot's number in its group. */
typedef uint64_t Record;
enum { kAddressBits = 48 };

struct thread_cache {
  uint8_t count[kClasses]; /* how many blocks are there */
  uint8_t limit[kClasses]; /* how many may be, for now */
  Record blocks[kPlaces];
};

static _Thread_local struct thread_cache* own_cache;

/* What the thread allocated and freed without a cache. Negative: it ends, and gets none any more.
 */
static _Thread_local int without_cache;

/* So much is done without one: most programs and threads that begin and end need none. */
enum { kWithoutCache = 64 };

/* What all caches together should hold of one class, and what one of them may. A thread for which
 * less than the last would be left does without a cache. */
enum { kBytesOfAll = 1 << 20, kBytesOfOne = 64 << 10, kBytesOfUse = 1 << 10 };

static size_t allowed_bytes(void) {
  const size_t share = kBytesOfAll / (libc.threads_minus_1 + 1u);
  return share < kBytesOfOne ? share : kBytesOfOne;
}

/* Of a class whose limit was too low, or is too high by now. */
static unsigned adjust_limit(struct thread_cache* cache, int which) {
  const unsigned places = kPlace[which + 1] - kPlace[which];
  const size_t allowed = allowed_bytes() / ((size_t)UNIT * size_classes[which]);
  const unsigned most = allowed < places ? allowed : places;
  const unsigned wanted = cache->limit[which] * 2u + 1;
  return cache->limit[which] = wanted < most ? wanted : most;
}

/* The four bytes before a block. The first, before a slot, stays 0 unless somebody writes beyond
 * the end of the slot below. */
#define HEADER(block) (*(uint32_t*)((block) - IB))
enum { kFreeHeader = 255 << 8 };

static inline unsigned char* use_again(Record record, int which) {
  unsigned char* const block = (unsigned char*)(record & (((Record)1 << kAddressBits) - 1));
  const uint32_t slot = record >> kAddressBits;
  assert(HEADER(block) == kFreeHeader);
  HEADER(block) = slot << 8 | (size_classes[which] * slot) << 16;
  return block;
}

/* A block may begin behind the beginning of its slot; then both headers go. */
static inline Record set_aside(unsigned char* block, unsigned char* slot_begin, int slot) {
  block[-3] = 255;
  *(uint16_t*)(block - 2) = 0;
  slot_begin[-3] = 255;
  *(uint16_t*)(slot_begin - 2) = 0;
  return (uintptr_t)slot_begin | (Record)slot << kAddressBits;
}

/* The class that slots of the group can be used again for, or kClasses. A slot that is a mapping of
 * its own can be smaller than its class. */
static inline int class_of(const struct meta* group, size_t stride) {
  const int which = group->sizeclass;
  return which < kClasses && stride >= (size_t)UNIT * size_classes[which] ? which : kClasses;
}

static void fetch(struct thread_cache* cache, int which, unsigned count) {
  while (count-- > 0) {
    unsigned char* const block = block_malloc(size_classes[which] * UNIT - IB);
    if (!block) {
      return;
    }
    /* mallocng may have taken the next class. */
    struct meta* const group = get_meta(block);
    const size_t stride = get_stride(group);
    const int got = class_of(group, stride);
    if (got == kClasses || cache->count[got] == kPlace[got + 1] - kPlace[got]) {
      block_free(block);
      return;
    }
    const int slot = get_slot_index(block);
    cache->blocks[kPlace[got] + cache->count[got]++] =
        set_aside(block, group->mem->storage + stride * slot, slot);
  }
}

/* Those that have been there longest. */
static void give_back(struct thread_cache* cache, int which, unsigned count) {
  Record* const blocks = &cache->blocks[kPlace[which]];
  for (unsigned i = 0; i < count; ++i) {
    block_free(use_again(blocks[i], which));
  }
  cache->count[which] -= count;
  memmove(blocks, blocks + count, cache->count[which] * sizeof *blocks);
}

static void begin_cache(void) {
  if (without_cache < 0) {
    return;
  }
  ++without_cache;
  if (without_cache < kWithoutCache) {
    return;
  }
  without_cache = 0;
  if (allowed_bytes() < kBytesOfUse) {
    return;
  }
  const int error = errno; /* free leaves it alone */
  struct thread_cache* const cache = block_malloc(sizeof *cache);
  errno = error;
  if (cache) {
    memset(cache, 0, offsetof(struct thread_cache, blocks));
    own_cache = cache;
  }
}

static __attribute__((noinline)) void* malloc_and_fetch(int which, size_t size) {
  struct thread_cache* const cache = own_cache;
  if (cache) {
    fetch(cache, which, adjust_limit(cache, which) / 2);
  } else {
    begin_cache();
  }
  return block_malloc(size);
}

void* __libc_malloc_impl(size_t size) {
  if (size > kLargest) {
    return block_malloc(size);
  }
  const int wanted = size_to_class(size);
  struct thread_cache* const cache = own_cache;
  if (cache) {
    /* Where a class is used little, mallocng gives out blocks of the next. */
    const int which = cache->count[wanted] > 0 ? wanted : wanted | 1;
    const unsigned count = cache->count[which];
    if (count > 0) {
      cache->count[which] = count - 1;
      return use_again(cache->blocks[kPlace[which] + count - 1], which);
    }
  }
  return malloc_and_fetch(wanted, size);
}

static __attribute__((noinline)) void free_without_cache(void* block) {
  begin_cache();
  block_free(block);
}

/* False: the cache keeps no blocks of this class. */
static __attribute__((noinline)) int make_room(struct thread_cache* cache, int which) {
  const unsigned limit = adjust_limit(cache, which);
  if (cache->count[which] >= limit) {
    give_back(cache, which, cache->count[which] - limit / 2);
  }
  return limit > 0;
}

void __libc_free(void* memory) {
  if (!memory) {
    return;
  }
  struct thread_cache* const cache = own_cache;
  if (!cache) {
    free_without_cache(memory);
    return;
  }
  unsigned char* const block = memory;
  struct meta* const group = get_meta(block); /* ends the program unless the block is in use */
  const size_t stride = get_stride(group);
  const int which = class_of(group, stride);
  if (which == kClasses ||
      (cache->count[which] >= cache->limit[which] && !make_room(cache, which))) {
    block_free(block);
    return;
  }
  const int slot = get_slot_index(block);
  unsigned char* const slot_begin = group->mem->storage + stride * slot;
  if (block[-3] >> 5) {
    /* Smaller than the slot, by realloc or for its alignment: what lies behind it is checked. */
    get_nominal_size(block, slot_begin + stride - IB);
  }
  cache->blocks[kPlace[which] + cache->count[which]++] = set_aside(block, slot_begin, slot);
}

static void nothing(void) {}
weak_alias(nothing, __dl_thread_cleanup);

/* pthread_exit calls this in the place of __dl_thread_cleanup (BUILD.gn), after everything else
 * that may free. */
hidden void __malloc_thread_ends(void) {
  __dl_thread_cleanup();
  struct thread_cache* const cache = own_cache;
  own_cache = 0;
  without_cache = INT_MIN;
  if (!cache) {
    return;
  }
  for (int which = 0; which < kClasses; ++which) {
    give_back(cache, which, cache->count[which]);
  }
  block_free(cache);
}
