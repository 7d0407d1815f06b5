// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/sha256.h"

#include "base/core/check.h"
#include "base/crypto/block_buffer.h"
#include "base/crypto/cpu.h"
#include "base/crypto/secure_zero.h"
#include "base/crypto/sha256_compress.h"

namespace nsgx {
namespace {

using internal::Sha256State;

constexpr size_t kBlockSize = Sha256::kBlockSize;
constexpr size_t kSizeFieldSize = 8;
constexpr size_t kBlocksPerPage = kSha256PageSize / kBlockSize;
constexpr Sha256State kInitialState = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

constexpr uint32_t kPathUnknown = 0;
constinit uint32_t chosen_path = kPathUnknown;

Sha256Path ChosenPath() {
  uint32_t path = __atomic_load_n(&chosen_path, __ATOMIC_RELAXED);
  if (path == kPathUnknown) [[unlikely]] {
    path = static_cast<uint32_t>(DetectCpuFeatures().sha_ni ? Sha256Path::kShaNi
                                                            : Sha256Path::kPortable);
    __atomic_store_n(&chosen_path, path, __ATOMIC_RELAXED);
  }
  return static_cast<Sha256Path>(path);
}

void Compress(Sha256State& state, const std::byte* blocks, size_t block_count) {
  if (ChosenPath() == Sha256Path::kShaNi) [[likely]] {
    internal::Sha256CompressShaNi(state, blocks, block_count);
  } else {
    internal::Sha256CompressPortable(state, blocks, block_count);
  }
}

void StoreBigEndian64(std::byte* to, uint64_t value) {
  value = __builtin_bswap64(value);
  __builtin_memcpy(to, &value, sizeof(value));
}

Sha256::Digest ToDigest(const Sha256State& state) {
  Sha256::Digest digest;
  for (size_t i = 0; i < state.size(); ++i) {
    const uint32_t word = __builtin_bswap32(state[i]);
    __builtin_memcpy(&digest[4 * i], &word, sizeof(word));
  }
  return digest;
}

// The block that ends a message of whole blocks with `size` bytes.
struct PaddingBlock {
  explicit PaddingBlock(uint64_t size) {
    bytes[0] = std::byte{0x80};
    StoreBigEndian64(&bytes[kBlockSize - kSizeFieldSize], size * 8);
  }
  std::array<std::byte, kBlockSize> bytes{};
};

}  // namespace

Sha256::~Sha256() {
  SecureZeroObject(state_);
  SecureZeroObject(block_);
}

void Sha256::Update(std::span<const std::byte> data) {
  const size_t pending = size_ % kBlockSize;
  size_ += data.size();
  CompressWholeBlocks(block_, pending, data, [this](const std::byte* blocks, size_t count) {
    Compress(state_, blocks, count);
  });
}

Sha256::Digest Sha256::Finish() {
  const size_t pending = size_ % kBlockSize;
  // 0x80, zeros up to eight bytes before the end of a block, the size in bits.
  std::array<std::byte, 2 * kBlockSize> end{};
  __builtin_memcpy(end.data(), block_.data(), pending);
  end[pending] = std::byte{0x80};
  const size_t block_count = pending + 1 + kSizeFieldSize <= kBlockSize ? 1 : 2;
  StoreBigEndian64(&end[block_count * kBlockSize - kSizeFieldSize], size_ * 8);
  Compress(state_, end.data(), block_count);
  SecureZeroObject(end);
  const Digest digest = ToDigest(state_);
  state_ = kInitialState;
  size_ = 0;
  SecureZeroObject(block_);
  return digest;
}

Sha256::Digest Sha256::Hash(std::span<const std::byte> data) {
  Sha256 hash;
  hash.Update(data);
  return hash.Finish();
}

void Sha256HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests) {
  CHECK(pages.size() / kSha256PageSize == digests.size() && pages.size() % kSha256PageSize == 0);
  const PaddingBlock padding(kSha256PageSize);
  const std::byte* page = pages.data();
  size_t i = 0;
  if (ChosenPath() == Sha256Path::kShaNi) {
    for (; digests.size() - i >= 2; i += 2, page += 2 * kSha256PageSize) {
      Sha256State first = kInitialState;
      Sha256State second = kInitialState;
      internal::Sha256CompressShaNiTwo(first, page, second, page + kSha256PageSize, kBlocksPerPage);
      internal::Sha256CompressShaNiTwo(first, padding.bytes.data(), second, padding.bytes.data(),
                                       1);
      digests[i] = ToDigest(first);
      digests[i + 1] = ToDigest(second);
    }
  }
  for (; i < digests.size(); ++i, page += kSha256PageSize) {
    Sha256State state = kInitialState;
    Compress(state, page, kBlocksPerPage);
    Compress(state, padding.bytes.data(), 1);
    digests[i] = ToDigest(state);
  }
}

bool Sha256PathSupported(Sha256Path path) {
  return path == Sha256Path::kPortable || DetectCpuFeatures().sha_ni;
}

void Sha256UsePath(Sha256Path path) {
  CHECK(Sha256PathSupported(path));
  __atomic_store_n(&chosen_path, static_cast<uint32_t>(path), __ATOMIC_RELAXED);
}

}  // namespace nsgx
