// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx {

// SHA-512 and SHA-384 (FIPS 180-4), which differ in the initial state and in how much of the last
// one is shown. No heap, no libc, general registers only.
//
// Plain C++ and not mbedTLS, so that the two SNP messages that need them (report data, key
// digests) bring no third-party code into the monitor; neither is on a hot path.
template <size_t kSize>
  requires(kSize == 48 || kSize == 64)
class Sha512Family {
 public:
  static constexpr size_t kDigestSize = kSize;
  static constexpr size_t kBlockSize = 128;
  using Digest = std::array<std::byte, kDigestSize>;

  constexpr Sha512Family() = default;
  constexpr Sha512Family(const Sha512Family&) = default;
  Sha512Family& operator=(const Sha512Family&) = default;
  // Overwrites the state, which may depend on a secret.
  ~Sha512Family();

  // Appends `data` to the message. A message has less than 2^61 bytes.
  void Update(std::span<const std::byte> data);

  // Returns the digest of everything appended. The object is then as new.
  Digest Finish();

  // Returns the digest of `data`.
  static Digest Hash(std::span<const std::byte> data);

 private:
  static constexpr std::array<uint64_t, 8> kInitialState =
      kSize == 64
          ? std::array<uint64_t, 8>{0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                    0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                    0x1f83d9abfb41bd6b, 0x5be0cd19137e2179}
          : std::array<uint64_t, 8>{0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17,
                                    0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511,
                                    0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};

  std::array<uint64_t, 8> state_ = kInitialState;
  uint64_t size_ = 0;
  std::array<std::byte, kBlockSize> block_ = {};  // the size_ % kBlockSize bytes not yet hashed
};

using Sha384 = Sha512Family<48>;
using Sha512 = Sha512Family<64>;

extern template class Sha512Family<48>;
extern template class Sha512Family<64>;

}  // namespace nsgx
