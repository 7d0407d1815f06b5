// SPDX-License-Identifier: Apache-2.0
// The bytes of a regular file, without copying them.
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "enclave-loader/image/refusal.h"

namespace nsgx::loader {

// A file mapped read-only for as long as the object lives, with its descriptor, which is never one
// of the standard streams'.
class MappedFile {
 public:
  // Opens `path` without ever waiting for anybody (a FIFO is refused, not waited for).
  //
  // Errors: kNotFound, kNotReadable, kDirectory, kNotRegularFile; kNotElf when it is empty.
  static Result<MappedFile, Refusal> Open(const char* path);

  MappedFile(MappedFile&& other) noexcept : fd_(other.fd_), bytes_(other.bytes_) {
    other.fd_ = -1;
    other.bytes_ = {};
  }
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  int fd() const { return fd_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(int fd) : fd_(fd) {}

  int fd_;
  std::span<const std::byte> bytes_;
};

}  // namespace nsgx::loader
