// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/bytes.h"

namespace nsgx::verify {

std::string Hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (std::byte byte : bytes) {
    out += kDigits[std::to_integer<size_t>(byte) >> 4];
    out += kDigits[std::to_integer<size_t>(byte) & 0xf];
  }
  return out;
}

std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& character : out) {
    if (character < 0x20 || character > 0x7e) {
      character = '?';
    }
  }
  return out;
}

}  // namespace nsgx::verify
