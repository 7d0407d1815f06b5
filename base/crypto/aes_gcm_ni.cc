// SPDX-License-Identifier: Apache-2.0
// AES-256 by AES-NI, eight blocks in flight, and GHASH by carry-less multiplication.
//
// GHASH multiplies polynomials over GF(2) modulo x^128 + x^7 + x^2 + x + 1 with the bits of each
// byte, and the bytes, in the order opposite to the processor's. Blocks are therefore loaded with
// their bytes reversed; what is left is that a product comes out shifted by one bit. The hash keys
// are stored multiplied by x once, which takes that back. The reduction works from the low end: it
// adds the multiple of the (reflected) modulus that makes the low 128 bits vanish.
#include "base/crypto/aes_gcm_ni.h"

#include <immintrin.h>

#include "base/crypto/vector_registers.h"

#define NSGX_AES_TARGET __attribute__((target("sse2,ssse3,sse4.1,aes,pclmul")))
#define NSGX_AES_INLINE NSGX_AES_TARGET inline __attribute__((always_inline))

namespace nsgx::internal {
namespace {

constexpr size_t kBlockSize = 16;
constexpr size_t kLanes = 8;
constexpr size_t kRounds = 14;

NSGX_AES_INLINE __m128i Load(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
NSGX_AES_INLINE void Store(std::byte* to, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), value);
}
NSGX_AES_INLINE __m128i ReverseBytes(__m128i value) {
  return _mm_shuffle_epi8(value, _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f));
}
// Loads fewer than sixteen bytes, with zeros behind them.
NSGX_AES_INLINE __m128i LoadPartial(const std::byte* from, size_t size) {
  alignas(16) std::byte block[kBlockSize] = {};
  __builtin_memcpy(block, from, size);
  return Load(block);
}

// ---- AES

// Returns four words of the key schedule: `before` are those eight places earlier, `mix` is the
// transformed word just before, in all four places.
NSGX_AES_INLINE __m128i NextRoundKey(__m128i before, __m128i mix) {
  // Each word is the sum of all words of `before` up to its place, and of `mix`.
  before = _mm_xor_si128(before, _mm_slli_si128(before, 4));
  before = _mm_xor_si128(before, _mm_slli_si128(before, 8));
  return _mm_xor_si128(before, mix);
}

// Makes round keys `index` and, if there is one, `index` + 1 of the two before. The round constant
// is part of the instruction.
template <int kRoundConstant>
NSGX_AES_INLINE void ExpandPair(AesGcmKeys& keys, size_t index, __m128i& even, __m128i& odd) {
  even =
      NextRoundKey(even, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(odd, kRoundConstant), 0xff));
  Store(keys.round[index], even);
  if (index < kRounds) {
    odd = NextRoundKey(odd, _mm_shuffle_epi32(_mm_aeskeygenassist_si128(even, 0), 0xaa));
    Store(keys.round[index + 1], odd);
  }
}

NSGX_AES_INLINE __m128i Encrypt(const AesGcmKeys& keys, __m128i block) {
  block = _mm_xor_si128(block, Load(keys.round[0]));
#pragma clang loop unroll(full)
  for (size_t i = 1; i < kRounds; ++i) {
    block = _mm_aesenc_si128(block, Load(keys.round[i]));
  }
  return _mm_aesenclast_si128(block, Load(keys.round[kRounds]));
}

// Returns the counter block of `nonce` with its bytes reversed, so that the counter is the lowest
// 32-bit element.
NSGX_AES_INLINE __m128i CounterBlock(const std::byte* nonce, uint32_t counter) {
  alignas(16) std::byte block[kBlockSize];
  __builtin_memcpy(block, nonce, AesGcm256::kNonceSize);
  const uint32_t big_endian = __builtin_bswap32(counter);
  __builtin_memcpy(block + AesGcm256::kNonceSize, &big_endian, sizeof(big_endian));
  return ReverseBytes(Load(block));
}

// ---- GHASH

// A product of two 128-bit polynomials before reduction, its middle kept apart (Karatsuba).
struct Product {
  __m128i low;
  __m128i middle;
  __m128i high;
};

NSGX_AES_INLINE __m128i FoldHalves(__m128i value) {
  return _mm_xor_si128(value, _mm_shuffle_epi32(value, 0x4e));
}

NSGX_AES_INLINE void AddProduct(Product& sum, __m128i a, __m128i b) {
  sum.low = _mm_xor_si128(sum.low, _mm_clmulepi64_si128(a, b, 0x00));
  sum.high = _mm_xor_si128(sum.high, _mm_clmulepi64_si128(a, b, 0x11));
  sum.middle = _mm_xor_si128(sum.middle, _mm_clmulepi64_si128(FoldHalves(a), FoldHalves(b), 0x00));
}

NSGX_AES_INLINE __m128i Reduce(Product product) {
  // The modulus without its lowest term, reflected; its top half is all that matters.
  const __m128i modulus = _mm_set_epi64x(0, static_cast<int64_t>(0xc200000000000000));
  const __m128i middle = _mm_xor_si128(product.middle, _mm_xor_si128(product.low, product.high));
  __m128i low = _mm_xor_si128(product.low, _mm_slli_si128(middle, 8));
  const __m128i high = _mm_xor_si128(product.high, _mm_srli_si128(middle, 8));
  // Twice: cancel the lowest 64 bits, which moves them up by 64.
  for (int i = 0; i < 2; ++i) {
    low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, modulus, 0x00));
  }
  return _mm_xor_si128(high, low);
}

NSGX_AES_INLINE __m128i Multiply(__m128i a, __m128i b) {
  Product product = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
  AddProduct(product, a, b);
  return Reduce(product);
}

// Multiplies by x: one bit up in the reflected order is one bit to the left in ours.
NSGX_AES_INLINE __m128i MultiplyByX(__m128i value) {
  const __m128i carries = _mm_srli_epi64(value, 63);
  const __m128i shifted = _mm_or_si128(_mm_slli_epi64(value, 1), _mm_slli_si128(carries, 8));
  // All ones if a bit fell off the top.
  const __m128i overflow = _mm_sub_epi64(_mm_setzero_si128(), _mm_unpackhi_epi64(carries, carries));
  const __m128i modulus = _mm_set_epi64x(static_cast<int64_t>(0xc200000000000000), 1);
  return _mm_xor_si128(shifted, _mm_and_si128(overflow, modulus));
}

}  // namespace

NSGX_AES_TARGET void AesGcmExpandKey(AesGcmKeys& keys, const std::byte* key) {
  __m128i even = Load(key);
  __m128i odd = Load(key + kBlockSize);
  Store(keys.round[0], even);
  Store(keys.round[1], odd);
  ExpandPair<0x01>(keys, 2, even, odd);
  ExpandPair<0x02>(keys, 4, even, odd);
  ExpandPair<0x04>(keys, 6, even, odd);
  ExpandPair<0x08>(keys, 8, even, odd);
  ExpandPair<0x10>(keys, 10, even, odd);
  ExpandPair<0x20>(keys, 12, even, odd);
  ExpandPair<0x40>(keys, 14, even, odd);

  const __m128i hash_key = MultiplyByX(ReverseBytes(Encrypt(keys, _mm_setzero_si128())));
  __m128i power = hash_key;
  for (size_t i = 0; i < kLanes; ++i) {
    Store(keys.hash[i], power);
    power = Multiply(power, hash_key);
  }
  ZeroVectorRegisters();
}

NSGX_AES_TARGET void AesGcmCrypt(const AesGcmKeys& keys, const std::byte* nonce, uint32_t counter,
                                 const std::byte* in, std::byte* out, size_t size) {
  const __m128i one = _mm_set_epi32(0, 0, 0, 1);
  __m128i next = CounterBlock(nonce, counter);
  for (; size >= kLanes * kBlockSize; size -= kLanes * kBlockSize) {
    __m128i blocks[kLanes];
    const __m128i first_key = Load(keys.round[0]);
#pragma clang loop unroll(full)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      blocks[lane] = _mm_xor_si128(ReverseBytes(next), first_key);
      next = _mm_add_epi32(next, one);
    }
#pragma clang loop unroll(full)
    for (size_t i = 1; i < kRounds; ++i) {
      const __m128i key = Load(keys.round[i]);
#pragma clang loop unroll(full)
      for (size_t lane = 0; lane < kLanes; ++lane) {
        blocks[lane] = _mm_aesenc_si128(blocks[lane], key);
      }
    }
    const __m128i last_key = Load(keys.round[kRounds]);
#pragma clang loop unroll(full)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const __m128i stream = _mm_aesenclast_si128(blocks[lane], last_key);
      Store(out + lane * kBlockSize, _mm_xor_si128(stream, Load(in + lane * kBlockSize)));
    }
    in += kLanes * kBlockSize;
    out += kLanes * kBlockSize;
  }
  for (; size >= kBlockSize; size -= kBlockSize) {
    Store(out, _mm_xor_si128(Encrypt(keys, ReverseBytes(next)), Load(in)));
    next = _mm_add_epi32(next, one);
    in += kBlockSize;
    out += kBlockSize;
  }
  if (size != 0) {
    alignas(16) std::byte block[kBlockSize];
    Store(block, _mm_xor_si128(Encrypt(keys, ReverseBytes(next)), LoadPartial(in, size)));
    __builtin_memcpy(out, block, size);
  }
  ZeroVectorRegisters();
}

NSGX_AES_TARGET void AesGcmHash(const AesGcmKeys& keys, GhashState& state, const std::byte* data,
                                size_t size) {
  __m128i hash = Load(state.bytes);
  for (; size >= kLanes * kBlockSize; size -= kLanes * kBlockSize) {
    // (hash + b0) H^8 + b1 H^7 + ... + b7 H^1, reduced once.
    Product sum = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
#pragma clang loop unroll(full)
    for (size_t lane = 0; lane < kLanes; ++lane) {
      __m128i block = ReverseBytes(Load(data + lane * kBlockSize));
      if (lane == 0) {
        block = _mm_xor_si128(block, hash);
      }
      AddProduct(sum, block, Load(keys.hash[kLanes - 1 - lane]));
    }
    hash = Reduce(sum);
    data += kLanes * kBlockSize;
  }
  const __m128i hash_key = Load(keys.hash[0]);
  for (; size >= kBlockSize; size -= kBlockSize) {
    hash = Multiply(_mm_xor_si128(hash, ReverseBytes(Load(data))), hash_key);
    data += kBlockSize;
  }
  if (size != 0) {
    hash = Multiply(_mm_xor_si128(hash, ReverseBytes(LoadPartial(data, size))), hash_key);
  }
  Store(state.bytes, hash);
  ZeroVectorRegisters();
}

NSGX_AES_TARGET void AesGcmFinish(const AesGcmKeys& keys, GhashState& state, const std::byte* nonce,
                                  uint64_t additional_size, uint64_t text_size, std::byte* tag) {
  // The last block holds both sizes in bits, in our byte order already.
  const __m128i sizes = _mm_set_epi64x(static_cast<int64_t>(additional_size * 8),
                                       static_cast<int64_t>(text_size * 8));
  const __m128i hash = Multiply(_mm_xor_si128(Load(state.bytes), sizes), Load(keys.hash[0]));
  const __m128i mask = Encrypt(keys, ReverseBytes(CounterBlock(nonce, 1)));
  Store(tag, _mm_xor_si128(ReverseBytes(hash), mask));
  Store(state.bytes, _mm_setzero_si128());
  ZeroVectorRegisters();
}

}  // namespace nsgx::internal
