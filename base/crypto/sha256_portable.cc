// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "base/crypto/sha256_compress.h"

namespace nsgx::internal {
namespace {

constexpr uint32_t Choose(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
constexpr uint32_t Majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (z & (x | y)); }
constexpr uint32_t BigSigma0(uint32_t x) {
  return std::rotr(std::rotr(std::rotr(x, 9) ^ x, 11) ^ x, 2);
}
constexpr uint32_t BigSigma1(uint32_t x) {
  return std::rotr(std::rotr(std::rotr(x, 14) ^ x, 5) ^ x, 6);
}
constexpr uint32_t SmallSigma0(uint32_t x) { return std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3); }
constexpr uint32_t SmallSigma1(uint32_t x) {
  return std::rotr(x, 17) ^ std::rotr(x, 19) ^ (x >> 10);
}

uint32_t LoadBigEndian(const std::byte* from) {
  uint32_t value;
  __builtin_memcpy(&value, from, sizeof(value));
  return __builtin_bswap32(value);
}

}  // namespace

void Sha256CompressPortable(Sha256State& state, const std::byte* blocks, size_t block_count) {
  for (; block_count != 0; --block_count, blocks += 64) {
    uint32_t w[16];
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];
    uint32_t f = state[5];
    uint32_t g = state[6];
    uint32_t h = state[7];
    // Unrolled, the working variables change names instead of places.
#pragma clang loop unroll(full)
    for (size_t t = 0; t < 64; ++t) {
      if (t < 16) {
        w[t] = LoadBigEndian(blocks + 4 * t);
      } else {
        w[t % 16] += SmallSigma1(w[(t - 2) % 16]) + w[(t - 7) % 16] + SmallSigma0(w[(t - 15) % 16]);
      }
      const uint32_t t1 = h + BigSigma1(e) + Choose(e, f, g) + kSha256RoundConstants[t] + w[t % 16];
      const uint32_t t2 = BigSigma0(a) + Majority(a, b, c);
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

}  // namespace nsgx::internal
