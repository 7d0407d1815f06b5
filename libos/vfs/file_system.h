// SPDX-License-Identifier: Apache-2.0
// A file system instance and its place in the tree.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/core/intrusive_list.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// Devices without hardware have major number 0 and a minor number of their own.
inline constexpr uint32_t kFirstDynamicDevice = 16;
uint64_t NewDeviceNumber();

// Mounted at most at one place, and never unmounted while the program runs.
class FileSystem : public ListNode<> {
 public:
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  // As st_dev tells it apart from others.
  uint64_t device() const { return device_; }
  // As /proc/mounts calls it.
  std::string_view kind() const { return kind_; }
  bool is_read_only() const { return is_read_only_; }

  // Requires: the file system has a tree (pipes have none).
  virtual Inode& root() = 0;
  // What statfs tells; f_fsid, f_namelen and f_flags are filled in already.
  virtual void DescribeSpace(LinuxStatfs& out) = 0;

  // syncfs.
  virtual Result<void, Errno> SyncAll() { return {}; }

  // What its root hides; null for the root of all.
  Inode* covered() const { return covered_.get(); }

 protected:
  // `device`: NewDeviceNumber(), or a number below kFirstDynamicDevice for those that are there
  // from the start.
  constexpr FileSystem(std::string_view kind, uint64_t device, bool is_read_only)
      : device_(device), kind_(kind), is_read_only_(is_read_only) {}
  ~FileSystem() = default;

 private:
  friend void Mount(Inode& place, FileSystem& file_system);
  friend void MountRoot(FileSystem& file_system);
  friend void UnmountAll();

  uint64_t device_;
  std::string_view kind_;
  bool is_read_only_;
  Ref<Inode> covered_;
};

// Makes `file_system` the root of all.
void MountRoot(FileSystem& file_system);
// Hides `place` behind the root of `file_system`: a directory behind a directory, a file behind a
// file. Requires: both are not mounted there yet.
void Mount(Inode& place, FileSystem& file_system);
// At the end of a test.
void UnmountAll();

// Calls `visit(file_system)` for each that is mounted, the root of all first. No lock is held: it
// may sleep.
using MountVisitor = void (*)(FileSystem& file_system, void* context);
void ForEachMount(MountVisitor visit, void* context);

// Through mount points: what is seen in the place of `inode`.
Ref<Inode> Uncovered(Ref<Inode> inode);

}  // namespace nsgx::libos
