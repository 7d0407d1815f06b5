// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/core_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cstdint>

#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/run/options.h"

namespace nsgx::loader {
namespace {

// More than any enclave's address range.
constexpr uint64_t kMaxOffset = uint64_t{1} << 42;

}  // namespace

void CoreFile::OnPiece(std::string_view piece) {
  uint64_t offset;
  if (piece.size() <= sizeof(offset)) {
    return;
  }
  memcpy(&offset, piece.data(), sizeof(offset));
  piece.remove_prefix(sizeof(offset));
  const std::lock_guard guard(lock_);
  if (state_ == State::kNone) {
    fd_ = open(path_, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    error_ = errno;
    state_ = fd_ >= 0 ? State::kOpen : State::kFailed;
  }
  if (state_ != State::kOpen || offset > kMaxOffset) {
    return;
  }
  const ssize_t written = pwrite(fd_, piece.data(), piece.size(), static_cast<off_t>(offset));
  if (written != static_cast<ssize_t>(piece.size())) {
    error_ = written < 0 ? errno : ENOSPC;
    state_ = State::kFailed;
  }
}

void CoreFile::TellEnd(std::string_view image) {
  const std::lock_guard guard(lock_);
  if (state_ == State::kOpen) {
    PrintComplaint(kRunTool.name, Complaint::Of("core file ", std::string_view(path_),
                                                " written; see nsgx-gdb --core=",
                                                std::string_view(path_), " ", image));
  } else if (state_ == State::kFailed) {
    PrintComplaint(kRunTool.name, Complaint::Of("the core file can't be written to ",
                                                std::string_view(path_), ": ", strerror(error_)));
  }
}

}  // namespace nsgx::loader
