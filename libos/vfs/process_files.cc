// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/process_files.h"

#include <algorithm>
#include <utility>

namespace nsgx::libos {

[[clang::no_destroy]] constinit ProcessFiles process_files;

Ref<Inode> ProcessFiles::root() const {
  SpinLockGuard guard(lock_);
  return root_.Clone();
}

Ref<Inode> ProcessFiles::working_directory() const {
  SpinLockGuard guard(lock_);
  return working_directory_.Clone();
}

void ProcessFiles::SetRoot(Ref<Inode> directory) {
  SpinLockGuard guard(lock_);
  std::swap(root_, directory);
}

void ProcessFiles::SetWorkingDirectory(Ref<Inode> directory) {
  SpinLockGuard guard(lock_);
  std::swap(working_directory_, directory);
}

void ProcessFiles::SetSizeLimit(uint64_t bytes) {
  size_limit_.store(std::min(bytes, kMaxFileSize), std::memory_order_relaxed);
}

void ProcessFiles::Clear() {
  descriptors.Clear();
  SetWorkingDirectory(nullptr);
  SetRoot(nullptr);
  SetUmask(022);
  SetSizeLimit(kMaxFileSize);
}

Result<Ref<File>, Errno> GetFileOrPath(int32_t fd) {
  Ref<File> file = process_files.descriptors.Get(fd);
  if (!file) {
    return Error(Errno::kEBADF);
  }
  return file;
}

Result<Ref<File>, Errno> GetFile(int32_t fd) {
  Ref<File> file = process_files.descriptors.Get(fd);
  if (!file || file->is_path_only()) {
    return Error(Errno::kEBADF);
  }
  return file;
}

Result<Ref<File>, Errno> GetReadable(int32_t fd) {
  Ref<File> file = process_files.descriptors.Get(fd);
  if (!file || !file->may_read()) {
    return Error(Errno::kEBADF);
  }
  return file;
}

Result<Ref<File>, Errno> GetWritable(int32_t fd) {
  Ref<File> file = process_files.descriptors.Get(fd);
  if (!file || !file->may_write()) {
    return Error(Errno::kEBADF);
  }
  return file;
}

}  // namespace nsgx::libos
