// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx {

// SHA-256 (FIPS 180-4). No heap, no libc; the same result on every path.
//
// On processors that have the SHA extensions the blocks go through vector registers; those are all
// zero afterwards, so nothing of the message stays in them, and nothing that was in them survives:
// a world that runs with somebody else's vector registers saves them first.
class Sha256 {
 public:
  static constexpr size_t kDigestSize = 32;
  static constexpr size_t kBlockSize = 64;
  using Digest = std::array<std::byte, kDigestSize>;

  constexpr Sha256() = default;
  constexpr Sha256(const Sha256&) = default;
  Sha256& operator=(const Sha256&) = default;
  // Overwrites the state, which may depend on a secret.
  ~Sha256();

  // Appends `data` to the message. A message has less than 2^61 bytes.
  void Update(std::span<const std::byte> data);

  // Returns the digest of everything appended. The object is then as new.
  Digest Finish();

  // Returns the digest of `data`.
  static Digest Hash(std::span<const std::byte> data);

 private:
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t size_ = 0;
  std::array<std::byte, kBlockSize> block_ = {};  // the size_ % kBlockSize bytes not yet hashed
};

inline constexpr size_t kSha256PageSize = 4096;

// Fills `digests` with the digest of each 4 KiB page of `pages`. Faster than one after the other:
// two pages at a time keep the SHA unit busy.
//
// Requires: pages.size() == digests.size() * kSha256PageSize.
void Sha256HashPages(std::span<const std::byte> pages, std::span<Sha256::Digest> digests);

// How blocks are compressed. Chosen at first use by what the processor offers.
enum class Sha256Path : uint32_t { kPortable = 1, kShaNi = 2 };

// Returns whether this processor can take `path`.
bool Sha256PathSupported(Sha256Path path);

// Takes `path` from now on, for the whole program: for tests, and for a world that must not touch
// vector registers (yet).
//
// Requires: Sha256PathSupported(path).
void Sha256UsePath(Sha256Path path);

}  // namespace nsgx
