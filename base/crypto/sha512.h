// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx {

namespace internal {

// What the two have in common: everything but the initial state, and how much of the last one is
// shown.
class Sha512Core {
 public:
  using State = std::array<uint64_t, 8>;

  constexpr explicit Sha512Core(const State& initial) : state_(initial) {}
  constexpr Sha512Core(const Sha512Core&) = default;
  Sha512Core& operator=(const Sha512Core&) = default;
  // Overwrites the state, which may depend on a secret.
  ~Sha512Core();

  void Update(std::span<const std::byte> data);

  // Writes the first words of the last state, and starts over from `initial`.
  void Finish(const State& initial, std::span<std::byte> digest);

 private:
  State state_;
  uint64_t size_ = 0;
  std::array<std::byte, 128> block_ = {};  // the size_ % 128 bytes not yet hashed
};

// FIPS 180-4, sections 5.3.4 and 5.3.5.
inline constexpr Sha512Core::State kSha384Initial = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};
inline constexpr Sha512Core::State kSha512Initial = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

}  // namespace internal

// SHA-384 and SHA-512 (FIPS 180-4). No heap, no libc, general registers only.
//
// Plain C++ and not mbedTLS, so that the two SNP messages that need them (report data, key
// digests) bring no third-party code into the monitor; neither is on a hot path.
template <size_t kSize, const internal::Sha512Core::State& kInitial>
class Sha512Family {
 public:
  using Digest = std::array<std::byte, kSize>;

  // Appends `data` to the message. A message has less than 2^61 bytes.
  void Update(std::span<const std::byte> data) { core_.Update(data); }

  // Returns the digest of everything appended. The object is then as new.
  Digest Finish() {
    Digest digest;
    core_.Finish(kInitial, digest);
    return digest;
  }

  // Returns the digest of `data`.
  static Digest Hash(std::span<const std::byte> data) {
    Sha512Family hash;
    hash.Update(data);
    return hash.Finish();
  }

 private:
  internal::Sha512Core core_{kInitial};
};

using Sha384 = Sha512Family<48, internal::kSha384Initial>;
using Sha512 = Sha512Family<64, internal::kSha512Initial>;

}  // namespace nsgx
