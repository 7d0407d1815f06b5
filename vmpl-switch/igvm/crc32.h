// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace nsgx::igvm {

// CRC-32 as in zlib and IEEE 802.3, over several pieces. Finds accidents, never intent.
class Crc32 {
 public:
  void Update(std::span<const std::byte> bytes) {
    for (std::byte byte : bytes) {
      state_ ^= std::to_integer<uint32_t>(byte);
      for (int bit = 0; bit < 8; ++bit) {
        state_ = state_ >> 1 ^ ((state_ & 1) != 0 ? kPolynomial : 0);
      }
    }
  }
  uint32_t Finish() const { return ~state_; }

 private:
  static constexpr uint32_t kPolynomial = 0xedb88320;  // bit-reversed

  uint32_t state_ = ~uint32_t{0};
};

}  // namespace nsgx::igvm
