// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nsgx::verify {

using Bytes = std::vector<std::byte>;
template <size_t size>
using Digest = std::array<std::byte, size>;
using Sha256Digest = Digest<32>;
using Sha384Digest = Digest<48>;
using Sha512Digest = Digest<64>;

// Bytes in the type that C libraries want.
inline const unsigned char* Raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline std::span<const std::byte> View(const unsigned char* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}
template <size_t size>
std::span<const std::byte, size> View(const uint8_t (&data)[size]) {
  return std::as_bytes(std::span(data));
}

// Lower-case hexadecimal.
std::string Hex(std::span<const std::byte> bytes);

// `text` with everything but printable ASCII replaced by '?': for names that somebody else wrote.
std::string Printable(std::string_view text);

}  // namespace nsgx::verify
