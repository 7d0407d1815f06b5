// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/core/result.h"

namespace nsgx {

static_assert(std::endian::native == std::endian::little, "all our formats are little-endian");

// A type whose value is its bytes: no padding that could leak, no pointer or bool that some bytes
// would make invalid to hold. (A struct must keep to that for its members.)
template <typename T>
concept PlainBytes =
    std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T> &&
    !std::is_pointer_v<T> && !std::same_as<std::remove_cv_t<T>, bool>;

// Returns the bytes of `text` (of a literal: without its NUL) or `object`, while that lives.
inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
template <PlainBytes T>
  requires(!std::convertible_to<const T&, std::string_view>)
std::span<const std::byte> BytesOf(const T& object) {
  return std::as_bytes(std::span(&object, 1));
}
template <PlainBytes T>
  requires(!std::is_const_v<T>)
std::span<std::byte> MutableBytesOf(T& object) {
  return std::as_writable_bytes(std::span(&object, 1));
}

// Returns `size` bytes of `bytes` from `offset` on. This, not span::subspan, is for offsets that
// come from input.
//
// Errors: kOutOfRange  they are not all there.
constexpr Result<std::span<const std::byte>> Slice(std::span<const std::byte> bytes,
                                                   uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) {
    return Error(Status::kOutOfRange);
  }
  return bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
}
constexpr Result<std::span<std::byte>> MutableSlice(std::span<std::byte> bytes, uint64_t offset,
                                                    uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) {
    return Error(Status::kOutOfRange);
  }
  return bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
}

// Reads little-endian values from a bounded buffer, front to back, at any alignment.
//
// Does not own the buffer. A failed read changes nothing, so the reader may be asked again. The
// buffer must not change underneath: what a less trusted world can still write is copied first
// (`untrusted.h`).
class ByteReader {
 public:
  constexpr explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  constexpr size_t offset() const { return offset_; }
  constexpr size_t remaining() const { return bytes_.size() - offset_; }
  constexpr bool at_end() const { return offset_ == bytes_.size(); }

  // Reads one unsigned integer.
  //
  // Errors: kMalformed  fewer bytes are left than T needs.
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  constexpr Result<T> Read() {
    if (remaining() < sizeof(T)) {
      return Error(Status::kMalformed);
    }
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      value = static_cast<T>(value |
                             static_cast<T>(std::to_integer<T>(bytes_[offset_ + i]) << (8 * i)));
    }
    offset_ += sizeof(T);
    return value;
  }

  // Reads one object in its memory layout.
  //
  // Errors: kMalformed  fewer bytes are left than T needs.
  template <PlainBytes T>
  Result<T> ReadObject() {
    std::span<const std::byte> source = TRY(ReadBytes(sizeof(T)));
    T object;
    __builtin_memcpy(&object, source.data(), sizeof(T));
    return object;
  }

  // Returns the next `size` bytes in place.
  //
  // Errors: kMalformed  fewer are left.
  constexpr Result<std::span<const std::byte>> ReadBytes(uint64_t size) {
    if (size > remaining()) {
      return Error(Status::kMalformed);
    }
    std::span<const std::byte> result = bytes_.subspan(offset_, static_cast<size_t>(size));
    offset_ += static_cast<size_t>(size);
    return result;
  }

  // Passes over `size` bytes. Errors: kMalformed  fewer are left.
  constexpr Result<void> Skip(uint64_t size) {
    if (size > remaining()) {
      return Error(Status::kMalformed);
    }
    offset_ += static_cast<size_t>(size);
    return {};
  }

  // Continues at `offset` from the front. Errors: kMalformed  that is behind the end.
  constexpr Result<void> Seek(uint64_t offset) {
    if (offset > bytes_.size()) {
      return Error(Status::kMalformed);
    }
    offset_ = static_cast<size_t>(offset);
    return {};
  }

 private:
  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

// Writes little-endian values into a bounded buffer, front to back, at any alignment.
//
// Does not own the buffer. A failed write changes nothing.
class ByteWriter {
 public:
  constexpr explicit ByteWriter(std::span<std::byte> bytes) : bytes_(bytes) {}

  constexpr size_t offset() const { return offset_; }
  constexpr size_t remaining() const { return bytes_.size() - offset_; }
  constexpr std::span<const std::byte> written() const { return bytes_.first(offset_); }

  // Writes one unsigned integer.
  //
  // Errors: kOutOfRange  fewer bytes are left than T needs.
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  constexpr Result<void> Write(T value) {
    if (remaining() < sizeof(T)) {
      return Error(Status::kOutOfRange);
    }
    for (size_t i = 0; i < sizeof(T); ++i) {
      bytes_[offset_ + i] = static_cast<std::byte>(value >> (8 * i));
    }
    offset_ += sizeof(T);
    return {};
  }

  // Writes one object in its memory layout.
  //
  // Errors: kOutOfRange  fewer bytes are left than T needs.
  template <PlainBytes T>
  Result<void> WriteObject(const T& object) {
    return WriteBytes(BytesOf(object));
  }

  // Writes a copy of `source`, which must not overlap the buffer.
  //
  // Errors: kOutOfRange  it does not fit.
  constexpr Result<void> WriteBytes(std::span<const std::byte> source) {
    if (source.size() > remaining()) {
      return Error(Status::kOutOfRange);
    }
    for (size_t i = 0; i < source.size(); ++i) {
      bytes_[offset_ + i] = source[i];
    }
    offset_ += source.size();
    return {};
  }

  // Writes `size` zero bytes. Errors: kOutOfRange  they do not fit.
  constexpr Result<void> WriteZeros(uint64_t size) {
    if (size > remaining()) {
      return Error(Status::kOutOfRange);
    }
    for (size_t i = 0; i < size; ++i) {
      bytes_[offset_ + i] = std::byte{0};
    }
    offset_ += static_cast<size_t>(size);
    return {};
  }

 private:
  std::span<std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace nsgx
