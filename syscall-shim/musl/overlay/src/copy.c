/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy and memmove, in the place of musl's, which begin a string instruction for a few bytes and
 * copy backward byte by byte. Short copies load everything before they store anything, from the
 * front and from the end, the parts overlapping: no loop, and no difference between the two
 * functions. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef long long Vector __attribute__((vector_size(16), aligned(1), may_alias)); /* unaligned */
typedef long long AlignedVector __attribute__((vector_size(16), may_alias));
typedef uint64_t Eight __attribute__((aligned(1), may_alias));
typedef uint32_t Four __attribute__((aligned(1), may_alias));
typedef uint16_t Two __attribute__((aligned(1), may_alias));

#define LOAD(type, address) (*(const type*)(address))
#define STORE(type, address, value) (*(type*)(address) = (value))

/* From this size on the processor's own copying is at least as fast, but on some processors ten
 * times slower unless source and target lie alike in cache lines. */
enum { kString = 4096, kLine = 64 };

static inline int is_for_string(const unsigned char* to, const unsigned char* from, size_t size) {
  return size >= kString && ((uintptr_t)to - (uintptr_t)from) % kLine == 0 &&
         (uintptr_t)from - (uintptr_t)to >= size;
}

static inline void copy_string(unsigned char* to, const unsigned char* from, size_t size) {
  size_t skip = kLine - (uintptr_t)to % kLine;
  for (unsigned at = 0; at < kLine; at += 16) {
    STORE(Vector, to + at, LOAD(Vector, from + at));
  }
  to += skip;
  from += skip;
  size -= skip;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

/* More than 128 bytes, and `to` is not inside of what is copied. */
static void copy_forward(unsigned char* to, const unsigned char* from, size_t size) {
  const unsigned char* const from_end = from + size;
  unsigned char* const to_end = to + size;
  const Vector first = LOAD(Vector, from);
  const Vector last0 = LOAD(Vector, from_end - 64);
  const Vector last1 = LOAD(Vector, from_end - 48);
  const Vector last2 = LOAD(Vector, from_end - 32);
  const Vector last3 = LOAD(Vector, from_end - 16);
  unsigned char* const begin = to;
  const size_t skip = 16 - ((uintptr_t)to & 15);
  to += skip;
  from += skip;
  for (; (size_t)(to_end - to) > 64; to += 64, from += 64) {
    const Vector a = LOAD(Vector, from);
    const Vector b = LOAD(Vector, from + 16);
    const Vector c = LOAD(Vector, from + 32);
    const Vector d = LOAD(Vector, from + 48);
    STORE(AlignedVector, to, a);
    STORE(AlignedVector, to + 16, b);
    STORE(AlignedVector, to + 32, c);
    STORE(AlignedVector, to + 48, d);
  }
  STORE(Vector, to_end - 64, last0);
  STORE(Vector, to_end - 48, last1);
  STORE(Vector, to_end - 32, last2);
  STORE(Vector, to_end - 16, last3);
  STORE(Vector, begin, first);
}

/* The same from the end, for when `to` lies in what is copied. */
static void copy_backward(unsigned char* to, const unsigned char* from, size_t size) {
  const Vector first0 = LOAD(Vector, from);
  const Vector first1 = LOAD(Vector, from + 16);
  const Vector first2 = LOAD(Vector, from + 32);
  const Vector first3 = LOAD(Vector, from + 48);
  const Vector last = LOAD(Vector, from + size - 16);
  unsigned char* const end = to + size;
  size_t left = size - ((uintptr_t)end & 15);
  for (; left > 64; left -= 64) {
    const Vector a = LOAD(Vector, from + left - 16);
    const Vector b = LOAD(Vector, from + left - 32);
    const Vector c = LOAD(Vector, from + left - 48);
    const Vector d = LOAD(Vector, from + left - 64);
    STORE(AlignedVector, to + left - 16, a);
    STORE(AlignedVector, to + left - 32, b);
    STORE(AlignedVector, to + left - 48, c);
    STORE(AlignedVector, to + left - 64, d);
  }
  STORE(Vector, to, first0);
  STORE(Vector, to + 16, first1);
  STORE(Vector, to + 32, first2);
  STORE(Vector, to + 48, first3);
  STORE(Vector, end - 16, last);
}

static __attribute__((noinline)) void copy_long(unsigned char* to, const unsigned char* from,
                                                size_t size) {
  if ((uintptr_t)to - (uintptr_t)from < size) {
    copy_backward(to, from, size);
  } else if (is_for_string(to, from, size)) {
    copy_string(to, from, size);
  } else {
    copy_forward(to, from, size);
  }
}

void* memmove(void* target, const void* source, size_t size) {
  unsigned char* const to = target;
  const unsigned char* const from = source;
  unsigned char* const to_end = to + size;
  const unsigned char* const from_end = from + size;
  if (size <= 16) {
    if (size >= 8) {
      const uint64_t first = LOAD(Eight, from), last = LOAD(Eight, from_end - 8);
      STORE(Eight, to, first);
      STORE(Eight, to_end - 8, last);
    } else if (size >= 4) {
      const uint32_t first = LOAD(Four, from), last = LOAD(Four, from_end - 4);
      STORE(Four, to, first);
      STORE(Four, to_end - 4, last);
    } else if (size >= 2) {
      const uint16_t first = LOAD(Two, from), last = LOAD(Two, from_end - 2);
      STORE(Two, to, first);
      STORE(Two, to_end - 2, last);
    } else if (size == 1) {
      *to = *from;
    }
    return target;
  }
  if (size <= 32) {
    const Vector first = LOAD(Vector, from), last = LOAD(Vector, from_end - 16);
    STORE(Vector, to, first);
    STORE(Vector, to_end - 16, last);
    return target;
  }
  if (size <= 128) {
    const Vector first0 = LOAD(Vector, from), first1 = LOAD(Vector, from + 16);
    const Vector last0 = LOAD(Vector, from_end - 32), last1 = LOAD(Vector, from_end - 16);
    if (size > 64) {
      const Vector first2 = LOAD(Vector, from + 32), first3 = LOAD(Vector, from + 48);
      const Vector last2 = LOAD(Vector, from_end - 64), last3 = LOAD(Vector, from_end - 48);
      STORE(Vector, to + 32, first2);
      STORE(Vector, to + 48, first3);
      STORE(Vector, to_end - 64, last2);
      STORE(Vector, to_end - 48, last3);
    }
    STORE(Vector, to, first0);
    STORE(Vector, to + 16, first1);
    STORE(Vector, to_end - 32, last0);
    STORE(Vector, to_end - 16, last1);
    return target;
  }
  copy_long(to, from, size);
  return target;
}

weak_alias(memmove, memcpy);
