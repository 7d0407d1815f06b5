// SPDX-License-Identifier: Apache-2.0
// Text of any length, for files whose content is made when they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nsgx::libos {

class TextWriter {
 public:
  TextWriter() = default;
  ~TextWriter();
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  // When memory is out, the text stays as it is and is_complete() is false for good.
  void Append(std::string_view text);
  void AppendDecimal(uint64_t value, size_t minimum_digits = 1);
  void AppendHex(uint64_t value, size_t minimum_digits = 1);
  void AppendOctal(uint64_t value, size_t minimum_digits = 1);

  std::string_view text() const { return {data_, size_}; }
  bool is_complete() const { return is_complete_; }
  // Takes the other's text in exchange for this one's.
  void Swap(TextWriter& other);

 private:
  void AppendNumber(uint64_t value, uint64_t base, size_t minimum_digits);

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  bool is_complete_ = true;
};

}  // namespace nsgx::libos
