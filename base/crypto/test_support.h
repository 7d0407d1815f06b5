// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/hex.h"
#include "base/crypto/entropy.h"

// What the tests of this folder share.
namespace nsgx::testing_support {

using Bytes = std::vector<std::byte>;

// Returns the bytes that `text`, hexadecimal, stands for. A bad literal ends the test program.
inline Bytes FromHex(std::string_view text) {
  Bytes bytes(text.size() / 2);
  DecodeHex(text, bytes).value();
  return bytes;
}

inline std::string ToHex(std::span<const std::byte> bytes) {
  std::string text(bytes.size() * 2, '\0');
  static_cast<void>(EncodeHex(bytes, text).value());
  return text;
}

// Returns `size` bytes that are the same in every run.
inline Bytes Pattern(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

// Seeds that are the same in every run, and never run out.
class PatternEntropy final : public EntropySource {
 public:
  Result<void> Fill(std::span<std::byte> seed) override {
    std::ranges::copy(Pattern(seed.size(), next_++), seed.begin());
    return {};
  }

 private:
  unsigned next_ = 1;
};

// Returns a pointer of the type that mbedTLS, the oracle of these tests, wants.
inline const unsigned char* Raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* MutableRaw(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace nsgx::testing_support
