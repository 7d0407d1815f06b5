// SPDX-License-Identifier: Apache-2.0
// A folder of the host as a file system. All of it is the host's to say: which names there are,
// what they stand for, what files hold. What is kept inside: positions, sizes of files between two
// looks, directory listings while they are read, locks. docs/files.md tells what that means.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/fs/hostfs/host_directory.h"
#include "libos/fs/hostfs/host_inode.h"
#include "libos/host/files.h"
#include "libos/vfs/file_system.h"

namespace nsgx::libos {

// How many changes of data and of names there have been, when the host was asked something: what it
// says of a size, or how long it is believed, depends on whether there was another meanwhile.
struct HostEpoch {
  uint64_t data;
  uint64_t names;
};

class HostFs final : public FileSystem {
 public:
  HostFs(host::FileToken root, bool is_read_only)
      : FileSystem("hostfs", NewDeviceNumber(), is_read_only), root_token_(root) {}
  // Requires: nobody refers to an inode any more but the root and the remembered names.
  ~HostFs();

  // Asks for the root directory. EIO, ENOTDIR, ENOMEM.
  Result<void, Errno> Init();

  Inode& root() override { return *root_; }
  void DescribeSpace(LinuxStatfs& out) override;
  Result<void, Errno> SyncAll() override;

  // The inode of what the host has just given out as `name` in `directory`, which is new or known.
  // `epoch` is that of before the host was asked. EIO: what the host said cannot be.
  Result<Ref<HostInode>, Errno> Adopt(const host::FileFacts& facts, HostDirectory* directory,
                                      std::string_view name, HostEpoch epoch);

  HostEpoch epoch() const {
    return {.data = data_changes_.load(std::memory_order_acquire),
            .names = name_changes_.load(std::memory_order_acquire)};
  }
  // Around each change of data.
  void NoteDataChange() { data_changes_.fetch_add(1, std::memory_order_acq_rel); }

  // ---- names that were seen. For a moment, the name of a directory is believed to stand for what
  // it stood for, so that a path is not asked for component by component each time.
  Ref<HostDirectory> FindRemembered(HostDirectory& directory, std::string_view name);
  void Remember(HostDirectory& directory, std::string_view name, HostDirectory& child);
  // The program has moved or removed something: `name` in `directory` is gone (`to` is null) or is
  // now `to_name` in `to`.
  void NoteNameChange(HostDirectory& directory, std::string_view name, HostDirectory* to,
                      std::string_view to_name);
  void NoteNameChange() { name_changes_.fetch_add(1, std::memory_order_acq_rel); }

  Ref<HostDirectory> ParentOf(HostInode& inode);
  Result<void, Errno> PlaceOf(HostInode& inode, PlaceInParent& out);

 private:
  friend class HostInode;

  static constexpr size_t kBuckets = 256;
  static constexpr size_t kRemembered = 64;

  Result<HostInode*, Errno> NewInode(const host::FileFacts& facts);
  Ref<HostInode> FindLive(uint64_t device, uint64_t number) REQUIRES(lock_);
  // False: that place would be inside of itself.
  [[nodiscard]] bool SetPlace(HostInode& inode, HostDirectory* directory, std::string_view name);
  // Nobody refers to `inode` any more.
  void End(HostInode& inode);
  // From the inode's end.
  void Forget(HostInode& inode);
  void ForgetNames();

  HostInode*& Bucket(uint64_t device, uint64_t number) REQUIRES(lock_) {
    return buckets_[(number * 0x9e3779b97f4a7c15 + device) >> 32 & (kBuckets - 1)];
  }
  struct Remembered {
    Ref<HostDirectory> child;
    uint64_t until = 0;
  };
  Remembered& Slot(const HostDirectory& directory, std::string_view name) REQUIRES(lock_);

  const host::FileToken root_token_;
  Ref<HostDirectory> root_;
  std::atomic<uint64_t> data_changes_{0};
  std::atomic<uint64_t> name_changes_{0};
  SpinLock lock_;
  // All inodes that live, by what the host tells them apart by.
  HostInode* buckets_[kBuckets] GUARDED_BY(lock_) = {};
  Remembered remembered_[kRemembered] GUARDED_BY(lock_);
  // Those that end, and whether somebody sees to it.
  HostInode* ending_ GUARDED_BY(lock_) = nullptr;
  bool is_ending_ GUARDED_BY(lock_) = false;
};

}  // namespace nsgx::libos
