// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/text_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

TextWriter::~TextWriter() { KernelFree(data_); }

void TextWriter::Append(std::string_view text) {
  constexpr size_t kFirstCapacity = 256;
  if (text.size() > capacity_ - size_) {
    const size_t capacity = std::max({2 * capacity_, size_ + text.size(), kFirstCapacity});
    char* const larger = static_cast<char*>(KernelAllocate(capacity));
    if (larger == nullptr) {
      is_complete_ = false;
      return;
    }
    if (size_ != 0) {
      std::memcpy(larger, data_, size_);
    }
    KernelFree(std::exchange(data_, larger));
    capacity_ = capacity;
  }
  if (!text.empty()) {
    std::memcpy(data_ + size_, text.data(), text.size());
  }
  size_ += text.size();
}

void TextWriter::AppendNumber(uint64_t value, uint64_t base, size_t minimum_digits) {
  constexpr size_t kMaxDigits = 32;  // 22 octal digits make 64 bits
  char digits[kMaxDigits];
  size_t begin = kMaxDigits;
  do {
    digits[--begin] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (kMaxDigits - begin < minimum_digits && begin != 0) {
    digits[--begin] = '0';
  }
  Append({digits + begin, kMaxDigits - begin});
}

void TextWriter::AppendDecimal(uint64_t value, size_t minimum_digits) {
  AppendNumber(value, 10, minimum_digits);
}
void TextWriter::AppendHex(uint64_t value, size_t minimum_digits) {
  AppendNumber(value, 16, minimum_digits);
}
void TextWriter::AppendOctal(uint64_t value, size_t minimum_digits) {
  AppendNumber(value, 8, minimum_digits);
}

void TextWriter::Swap(TextWriter& other) {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(is_complete_, other.is_complete_);
}

}  // namespace nsgx::libos
