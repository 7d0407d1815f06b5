// SPDX-License-Identifier: Apache-2.0
// SHA-256 by the SHA extensions (AMD64 Architecture Programmer's Manual volume 4). Each function
// names the instruction sets it uses, so that the file is built with the flags of its world, also
// where those allow general registers only.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "base/crypto/sha256_compress.h"
#include "base/crypto/vector_registers.h"

#define NSGX_SHA_TARGET __attribute__((target("sse2,ssse3,sse4.1,sha")))

namespace nsgx::internal {
namespace {

// The processor wants the state as (A, B, E, F) and (C, D, G, H), highest first.
struct Lane {
  uint32_t* state;
  const std::byte* blocks;
};

template <size_t kLanes>
NSGX_SHA_TARGET inline __attribute__((always_inline)) void Compress(Lane (&lanes)[kLanes],
                                                                    size_t block_count) {
  // Reverses the bytes of each 32-bit word.
  const __m128i byte_order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef[kLanes];
  __m128i cdgh[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    const __m128i* state = reinterpret_cast<const __m128i*>(lanes[lane].state);
    const __m128i dcba = _mm_loadu_si128(state);
    const __m128i hgfe = _mm_loadu_si128(state + 1);
    const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
    const __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    abef[lane] = _mm_alignr_epi8(cdab, efgh, 8);
    cdgh[lane] = _mm_blend_epi16(efgh, cdab, 0xf0);
  }

  for (; block_count != 0; --block_count) {
    __m128i abef_before[kLanes];
    __m128i cdgh_before[kLanes];
    __m128i w[kLanes][4];  // the sixteen latest words of the message schedule
    for (size_t lane = 0; lane < kLanes; ++lane) {
      abef_before[lane] = abef[lane];
      cdgh_before[lane] = cdgh[lane];
      const __m128i* block = reinterpret_cast<const __m128i*>(lanes[lane].blocks);
#pragma clang loop unroll(full)
      for (size_t i = 0; i < 4; ++i) {
        w[lane][i] = _mm_shuffle_epi8(_mm_loadu_si128(block + i), byte_order);
      }
      lanes[lane].blocks += 64;
    }
    // Four rounds at a time. The lanes do not depend on each other, and fill each other's waits.
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 16; ++i) {
      const __m128i constants =
          _mm_load_si128(reinterpret_cast<const __m128i*>(&kSha256RoundConstants[4 * i]));
#pragma clang loop unroll(full)
      for (size_t lane = 0; lane < kLanes; ++lane) {
        __m128i* words = w[lane];
        const __m128i sum = _mm_add_epi32(words[i % 4], constants);
        cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum);
        abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(sum, 0x0e));
        if (i < 12) {
          const __m128i seven_back = _mm_alignr_epi8(words[(i + 3) % 4], words[(i + 2) % 4], 4);
          const __m128i partial =
              _mm_add_epi32(_mm_sha256msg1_epu32(words[i % 4], words[(i + 1) % 4]), seven_back);
          words[i % 4] = _mm_sha256msg2_epu32(partial, words[(i + 3) % 4]);
        }
      }
    }
    for (size_t lane = 0; lane < kLanes; ++lane) {
      abef[lane] = _mm_add_epi32(abef[lane], abef_before[lane]);
      cdgh[lane] = _mm_add_epi32(cdgh[lane], cdgh_before[lane]);
    }
  }

  for (size_t lane = 0; lane < kLanes; ++lane) {
    __m128i* state = reinterpret_cast<__m128i*>(lanes[lane].state);
    const __m128i feba = _mm_shuffle_epi32(abef[lane], 0x1b);
    const __m128i dchg = _mm_shuffle_epi32(cdgh[lane], 0xb1);
    _mm_storeu_si128(state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(state + 1, _mm_alignr_epi8(dchg, feba, 8));
  }
}

}  // namespace

NSGX_SHA_TARGET void Sha256CompressShaNi(Sha256State& state, const std::byte* blocks,
                                         size_t block_count) {
  Lane lanes[1] = {{state.data(), blocks}};
  Compress(lanes, block_count);
  ZeroVectorRegisters();
}

NSGX_SHA_TARGET void Sha256CompressShaNiTwo(Sha256State& state_a, const std::byte* blocks_a,
                                            Sha256State& state_b, const std::byte* blocks_b,
                                            size_t block_count) {
  Lane lanes[2] = {{state_a.data(), blocks_a}, {state_b.data(), blocks_b}};
  Compress(lanes, block_count);
  ZeroVectorRegisters();
}

}  // namespace nsgx::internal
