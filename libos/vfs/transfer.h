// SPDX-License-Identifier: Apache-2.0
// What the transfer calls have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "libos/vfs/file.h"
#include "libos/vfs/io_buffer.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// The stretches of memory of readv and writev, copied and checked.
class SegmentList {
 public:
  SegmentList() = default;
  ~SegmentList();
  SegmentList(const SegmentList&) = delete;
  SegmentList& operator=(const SegmentList&) = delete;

  // EINVAL: too many, or one is larger than any memory. EFAULT, ENOMEM. What goes beyond
  // kMAX_RW_COUNT is cut off.
  Result<void, Errno> Load(UserIn<LinuxIovec> segments, int32_t count);
  std::span<const LinuxIovec> segments() const { return segments_; }

 private:
  static constexpr size_t kFew = 8;

  LinuxIovec few_[kFew];
  LinuxIovec* many_ = nullptr;
  std::span<const LinuxIovec> segments_;
};

// A write by the program, with the signals that go with its errors: SIGPIPE, SIGXFSZ.
Result<size_t, Errno> WriteFile(File& file, IoBuffer& from, IoRequest request);

// What a call that moves bytes returns.
inline SysResult Count(Result<size_t, Errno> moved) {
  if (!moved.ok()) {
    return Error(moved.error());
  }
  return static_cast<int64_t>(moved.value());
}

// One side of a copy from file to file: at `*offset`, which moves, or if null at the position of
// the open file.
struct CopySide {
  File* file;
  uint64_t* offset;
};
// Copies up to `size` bytes by way of the library OS's memory; returns how many. Requires: `from`
// is seekable.
Result<size_t, Errno> CopyBetweenFiles(CopySide from, CopySide to, size_t size);

}  // namespace nsgx::libos
