/* SPDX-License-Identifier: Apache-2.0 */
/* memcmp, in the place of musl's, which compares byte by byte. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef char Vector __attribute__((vector_size(16)));
typedef char UnalignedVector __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t Eight __attribute__((aligned(1), may_alias));
typedef uint32_t Four __attribute__((aligned(1), may_alias));

/* The order of two different numbers as strings of bytes. */
static inline int order(uint64_t left, uint64_t right) {
  return __builtin_bswap64(left) < __builtin_bswap64(right) ? -1 : 1;
}

static inline Vector equal(const unsigned char* left, const unsigned char* right) {
  return *(const UnalignedVector*)left == *(const UnalignedVector*)right;
}

/* One bit for each of 16 bytes. */
static inline unsigned bits_of(Vector equal) { return (unsigned)__builtin_ia32_pmovmskb128(equal); }

/* How many bytes from the beginning are equal, in steps of 64. */
static inline size_t equal_lines(const unsigned char* left, const unsigned char* right,
                                 size_t size) {
  size_t at = 0;
  for (; size - at > 64; at += 64) {
    const Vector all = equal(left + at, right + at) & equal(left + at + 16, right + at + 16) &
                       equal(left + at + 32, right + at + 32) &
                       equal(left + at + 48, right + at + 48);
    if (bits_of(all) != 0xffff) {
      break;
    }
  }
  return at;
}

int memcmp(const void* first, const void* second, size_t size) {
  const unsigned char* left = first;
  const unsigned char* right = second;
  if (size < 4) {
    for (; size > 0; --size, ++left, ++right) {
      if (*left != *right) {
        return *left - *right;
      }
    }
    return 0;
  }
  if (size < 8) {
    const uint64_t mine = *(const Four*)left | (uint64_t)*(const Four*)(left + size - 4) << 32;
    const uint64_t other = *(const Four*)right | (uint64_t)*(const Four*)(right + size - 4) << 32;
    return mine == other ? 0 : order(mine, other);
  }
  if (size < 16) {
    uint64_t mine = *(const Eight*)left, other = *(const Eight*)right;
    if (mine == other) {
      mine = *(const Eight*)(left + size - 8);
      other = *(const Eight*)(right + size - 8);
    }
    return mine == other ? 0 : order(mine, other);
  }
  for (size_t at = equal_lines(left, right, size);; at += 16) {
    if (at > size - 16) {
      at = size - 16; /* looks at some bytes again */
    }
    const unsigned different = bits_of(equal(left + at, right + at)) ^ 0xffff;
    if (different != 0) {
      at += (size_t)__builtin_ctz(different);
      return left[at] - right[at];
    }
    if (at == size - 16) {
      return 0;
    }
  }
}
