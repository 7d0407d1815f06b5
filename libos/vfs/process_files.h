// SPDX-License-Identifier: Apache-2.0
// What the process has of files: descriptors, root, working directory, umask, limits. There is one
// process.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/descriptor_table.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class ProcessFiles {
 public:
  constexpr ProcessFiles() = default;

  DescriptorTable descriptors;

  // Requires: SetRoot has been called.
  Ref<Inode> root() const;
  Ref<Inode> working_directory() const;
  void SetRoot(Ref<Inode> directory);
  void SetWorkingDirectory(Ref<Inode> directory);

  uint32_t umask() const { return umask_.load(std::memory_order_relaxed); }
  // Returns the one before.
  uint32_t SetUmask(uint32_t mask) { return umask_.exchange(mask & 0777); }

  // RLIMIT_FSIZE in bytes.
  uint64_t size_limit() const { return size_limit_.load(std::memory_order_relaxed); }
  void SetSizeLimit(uint64_t bytes);

  // At the end of a test.
  void Clear();

 private:
  mutable SpinLock lock_;
  Ref<Inode> root_ GUARDED_BY(lock_);
  Ref<Inode> working_directory_ GUARDED_BY(lock_);
  std::atomic<uint32_t> umask_{022};
  std::atomic<uint64_t> size_limit_{kMaxFileSize};
};

extern constinit ProcessFiles process_files;

// The open file behind a descriptor. EBADF also for one that is only a path, unless that is asked
// for.
Result<Ref<File>, Errno> GetFile(int32_t fd);
Result<Ref<File>, Errno> GetFileOrPath(int32_t fd);
// One that is open for it, too.
Result<Ref<File>, Errno> GetReadable(int32_t fd);
Result<Ref<File>, Errno> GetWritable(int32_t fd);

}  // namespace nsgx::libos
