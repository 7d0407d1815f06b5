// SPDX-License-Identifier: Apache-2.0
// Bytes that wait between a writer and a reader: a ring of pages. Not locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "libos/vfs/io_buffer.h"

namespace nsgx::libos {

class ByteRing {
 public:
  // `capacity`: whole pages, a power of two. Memory is taken when it is first needed.
  constexpr explicit ByteRing(size_t capacity) : capacity_(capacity) {}
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;
  ~ByteRing();

  size_t capacity() const { return capacity_; }
  size_t filled() const { return filled_; }
  size_t room() const { return capacity_ - filled_; }

  // False when memory is out.
  [[nodiscard]] bool Ensure();
  // Moves what is in it to `fresh`, which is empty, has memory and is large enough, and takes that
  // one's place.
  void MoveTo(ByteRing& fresh);
  void Swap(ByteRing& other);

  // Copy between ring and program as much as goes; a fault ends it. Return how many bytes.
  //
  // Takes out up to `most` bytes.
  size_t Drain(IoBuffer& to, size_t most);
  // As Drain, from `offset` on, but leaves them.
  size_t Peek(IoBuffer& to, size_t offset, size_t most) const;
  // Puts in up to `most` bytes. Requires: Ensure.
  size_t Fill(IoBuffer& from, size_t most);
  // Puts what was drained last back in front. Requires: it fits.
  void PutBack(std::span<const std::byte> bytes);

 private:
  std::byte* memory_ = nullptr;
  size_t capacity_;
  size_t begin_ = 0;
  size_t filled_ = 0;
};

}  // namespace nsgx::libos
