// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/addr.h"
#include "base/core/status.h"

namespace nsgx {

// Builds text in a buffer of fixed size, without libc. What does not fit is dropped and
// remembered in `truncated()`; there is no terminating NUL.
class TextBuffer {
 public:
  constexpr explicit TextBuffer(std::span<char> buffer) : buffer_(buffer) {}

  constexpr std::string_view text() const { return {buffer_.data(), size_}; }
  constexpr size_t size() const { return size_; }
  constexpr bool truncated() const { return truncated_; }
  constexpr void Clear() {
    size_ = 0;
    truncated_ = false;
  }

  constexpr void Append(char character) {
    if (size_ == buffer_.size()) {
      truncated_ = true;
      return;
    }
    buffer_[size_++] = character;
  }

  constexpr void Append(std::string_view text) {
    for (char character : text) {
      Append(character);
    }
  }

  constexpr void AppendDecimal(uint64_t value, size_t minimum_digits = 1) {
    AppendDigits(value, 10, minimum_digits);
  }

  constexpr void AppendSignedDecimal(int64_t value) {
    if (value < 0) {
      Append('-');
      AppendDecimal(uint64_t{0} - static_cast<uint64_t>(value));
    } else {
      AppendDecimal(static_cast<uint64_t>(value));
    }
  }

  // Appends lower-case hexadecimal digits, without a prefix, at least `minimum_digits` of them.
  constexpr void AppendHex(uint64_t value, size_t minimum_digits = 1) {
    AppendDigits(value, 16, minimum_digits);
  }

 private:
  constexpr void AppendDigits(uint64_t value, uint64_t base, size_t minimum_digits) {
    constexpr size_t kMaxDigits = 20;  // 2^64 - 1 in decimal
    char digits[kMaxDigits] = {};
    size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    for (size_t i = count; i < minimum_digits; ++i) {
      Append('0');
    }
    while (count != 0) {
      Append(digits[--count]);
    }
  }

  std::span<char> buffer_;
  size_t size_ = 0;
  bool truncated_ = false;
};

// Asks for hexadecimal with a 0x prefix: `LOG(kInfo, "leaf ", Hex{leaf})`.
struct Hex {
  uint64_t value;
  size_t minimum_digits = 1;
};

// AppendText is what LOG calls for each argument. A type outside this file joins in by declaring
// `void AppendText(TextBuffer&, const Type&)` in its own namespace.

constexpr void AppendText(TextBuffer& out, std::string_view text) { out.Append(text); }
constexpr void AppendText(TextBuffer& out, const char* text) { out.Append(text); }
constexpr void AppendText(TextBuffer& out, std::same_as<char> auto character) {
  out.Append(character);
}
constexpr void AppendText(TextBuffer& out, std::same_as<bool> auto value) {
  out.Append(value ? "true" : "false");
}
template <std::integral T>
  requires(!std::same_as<T, char> && !std::same_as<T, bool>)
constexpr void AppendText(TextBuffer& out, T value) {
  if constexpr (std::signed_integral<T>) {
    out.AppendSignedDecimal(value);
  } else {
    out.AppendDecimal(value);
  }
}
constexpr void AppendText(TextBuffer& out, Hex hex) {
  out.Append("0x");
  out.AppendHex(hex.value, hex.minimum_digits);
}
constexpr void AppendText(TextBuffer& out, Status status) { out.Append(StatusName(status)); }
template <typename Tag>
constexpr void AppendText(TextBuffer& out, Addr<Tag> address) {
  AppendText(out, Hex{address.raw()});
}

}  // namespace nsgx
