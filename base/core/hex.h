// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/core/format.h"
#include "base/core/result.h"

namespace nsgx {

// Writes the lower-case hexadecimal form of `bytes`, first byte first, to the front of `text` and
// returns it.
//
// Errors: kOutOfRange  text has fewer than 2 * bytes.size() characters.
constexpr Result<std::string_view> EncodeHex(std::span<const std::byte> bytes,
                                             std::span<char> text) {
  if (bytes.size() > text.size() / 2) {
    return Error(Status::kOutOfRange);
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    const unsigned value = std::to_integer<unsigned>(bytes[i]);
    text[2 * i] = "0123456789abcdef"[value >> 4];
    text[2 * i + 1] = "0123456789abcdef"[value & 0xf];
  }
  return std::string_view(text.data(), 2 * bytes.size());
}

namespace internal {

constexpr Result<unsigned> HexDigit(char character) {
  if (character >= '0' && character <= '9') {
    return static_cast<unsigned>(character - '0');
  }
  if (character >= 'a' && character <= 'f') {
    return static_cast<unsigned>(character - 'a') + 10;
  }
  if (character >= 'A' && character <= 'F') {
    return static_cast<unsigned>(character - 'A') + 10;
  }
  return Error(Status::kMalformed);
}

}  // namespace internal

// Fills `bytes` from `text`, which holds exactly two digits of either case for each byte.
//
// Errors: kMalformed  the size is not that, or a character is no digit; `bytes` is then undefined.
constexpr Result<void> DecodeHex(std::string_view text, std::span<std::byte> bytes) {
  if (text.size() % 2 != 0 || text.size() / 2 != bytes.size()) {
    return Error(Status::kMalformed);
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    const unsigned high = TRY(internal::HexDigit(text[2 * i]));
    const unsigned low = TRY(internal::HexDigit(text[2 * i + 1]));
    bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return {};
}

// Asks LOG for the hexadecimal form of bytes: `LOG(kInfo, "identity ", HexBytes{identity})`.
struct HexBytes {
  std::span<const std::byte> bytes;
};

constexpr void AppendText(TextBuffer& out, HexBytes hex) {
  for (std::byte byte : hex.bytes) {
    out.AppendHex(std::to_integer<uint64_t>(byte), 2);
  }
}

}  // namespace nsgx
