// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/rsa_pss.h"

#include "base/crypto/rsa_raise.h"

namespace nsgx {
namespace {

using internal::RsaNumber;

// RFC 8017, 9.1: the encoded message is maskedDB, H, 0xbc. A modulus of 3072 bits leaves 3071 for
// it, so that its first bit is zero.
constexpr size_t kHashSize = Sha256::kDigestSize;
constexpr size_t kDataBlockSize = kRsaSize - kHashSize - 1;
constexpr size_t kPaddingSize = kDataBlockSize - kRsaSaltSize - 1;
constexpr std::byte kTrailer{0xbc};
constexpr std::byte kFirstByteMask{0x7f};

RsaNumber FromBigEndian(std::span<const std::byte, kRsaSize> bytes) {
  RsaNumber number;
  for (size_t i = 0; i < number.size(); ++i) {
    uint64_t word;
    __builtin_memcpy(&word, &bytes[kRsaSize - 8 * (i + 1)], sizeof(word));
    number[i] = __builtin_bswap64(word);
  }
  return number;
}

std::array<std::byte, kRsaSize> ToBigEndian(const RsaNumber& number) {
  std::array<std::byte, kRsaSize> bytes;
  for (size_t i = 0; i < number.size(); ++i) {
    const uint64_t word = __builtin_bswap64(number[i]);
    __builtin_memcpy(&bytes[kRsaSize - 8 * (i + 1)], &word, sizeof(word));
  }
  return bytes;
}

bool IsLess(const RsaNumber& a, const RsaNumber& b) {
  for (size_t i = a.size(); i-- != 0;) {
    if (a[i] != b[i]) {
      return a[i] < b[i];
    }
  }
  return false;
}

// Adds MGF1's stream of `seed` to `block`.
void AddMask(std::span<const std::byte> seed, std::span<std::byte> block) {
  for (uint32_t counter = 0; !block.empty(); ++counter) {
    const uint32_t big_endian = __builtin_bswap32(counter);
    Sha256 hash;
    hash.Update(seed);
    hash.Update(std::as_bytes(std::span(&big_endian, 1)));
    const Sha256::Digest stream = hash.Finish();
    const size_t size = block.size() < stream.size() ? block.size() : stream.size();
    for (size_t i = 0; i < size; ++i) {
      block[i] ^= stream[i];
    }
    block = block.subspan(size);
  }
}

}  // namespace

Result<void> RsaPssVerify(std::span<const std::byte, kRsaSize> modulus,
                          const Sha256::Digest& digest,
                          std::span<const std::byte, kRsaSize> signature) {
  const RsaNumber n = FromBigEndian(modulus);
  if ((n.front() & 1) == 0 || n.back() >> 63 == 0) {
    return Error(Status::kMalformed);
  }
  const RsaNumber s = FromBigEndian(signature);
  if (!IsLess(s, n)) {
    return Error(Status::kBadSignature);
  }
  std::array<std::byte, kRsaSize> message = ToBigEndian(internal::RsaRaise(s, n));

  const std::span<std::byte> data_block = std::span(message).first(kDataBlockSize);
  const std::span<const std::byte> hash = std::span(message).subspan(kDataBlockSize, kHashSize);
  bool is_good = message.back() == kTrailer && (message.front() & ~kFirstByteMask) == std::byte{0};
  AddMask(hash, data_block);
  data_block.front() &= kFirstByteMask;
  // Zeros, a one, the salt.
  for (std::byte byte : data_block.first(kPaddingSize)) {
    is_good &= byte == std::byte{0};
  }
  is_good &= data_block[kPaddingSize] == std::byte{1};

  constexpr std::array<std::byte, 8> kZeros{};
  Sha256 expected;
  expected.Update(kZeros);
  expected.Update(digest);
  expected.Update(data_block.last(kRsaSaltSize));
  const Sha256::Digest expected_hash = expected.Finish();
  for (size_t i = 0; i < kHashSize; ++i) {
    is_good &= hash[i] == expected_hash[i];
  }
  if (!is_good) {
    return Error(Status::kBadSignature);
  }
  return {};
}

}  // namespace nsgx
