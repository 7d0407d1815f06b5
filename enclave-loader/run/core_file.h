// SPDX-License-Identifier: Apache-2.0
// The core file of a program that a signal ended. The enclave says what is in it, piece by piece;
// only debug enclaves do, and only their user reads it.
#pragma once

#include <mutex>
#include <string_view>

namespace nsgx::loader {

class CoreFile {
 public:
  // `path` outlives this object. The file is made when the first piece comes, in the place of one
  // that is there; nobody else may read it.
  explicit CoreFile(const char* path) : path_(path) {}
  CoreFile(const CoreFile&) = delete;
  CoreFile& operator=(const CoreFile&) = delete;

  // Writes one piece, as libos::host::LogLevel::kCore has it. The enclave is not believed: a piece
  // that is malformed, or too far out, is left out. From any thread.
  void OnPiece(std::string_view piece);

  // Says on standard error what has become of it. Nothing, if no piece came.
  void TellEnd(std::string_view image);

 private:
  enum class State { kNone, kOpen, kFailed };

  const char* const path_;
  std::mutex lock_;
  State state_ = State::kNone;
  int fd_ = -1;
  int error_ = 0;
};

}  // namespace nsgx::loader
