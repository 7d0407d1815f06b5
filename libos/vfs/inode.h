// SPDX-License-Identifier: Apache-2.0
// An object of a file system: file, directory, symbolic link, device node, FIFO. The VFS walks
// paths, checks rights and keeps mounts; names, and how they change, are the file system's, which
// makes each operation here atomic by a lock of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"
#include "libos/vfs/file_time.h"
#include "libos/vfs/linux_abi.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class ExtendedAttributes;
class FileLocks;
class FileSystem;
class Inode;
class InodeWatches;
class Pipe;

namespace notice {
void TellGone(Inode& inode);
}

// What stat tells.
struct FileStatus {
  uint64_t device = 0;
  uint64_t number = 0;
  uint32_t mode = 0;
  uint32_t links = 0;
  uint32_t user = 0;
  uint32_t group = 0;
  uint64_t special_device = 0;
  uint64_t size = 0;
  uint64_t blocks = 0;  // of 512 bytes
  uint32_t block_size = 4096;
  FileTime access_time = {};
  FileTime modification_time = {};
  FileTime change_time = {};
  FileTime birth_time = {};
};

// Changes of attributes that have been permitted. What is not set stays.
struct AttributeChange {
  std::optional<uint32_t> permissions;  // kPermissionBits
  std::optional<uint32_t> user;
  std::optional<uint32_t> group;
  std::optional<FileTime> access_time;
  std::optional<FileTime> modification_time;
};

// What a new name is to stand for. `mode` has the type; umask has been applied.
struct NewNode {
  uint32_t mode = 0;
  uint32_t user = 0;
  uint32_t group = 0;
  uint64_t special_device = 0;
  std::string_view link_target = {};
};

// Takes directory entries one by one.
class DirectorySink {
 public:
  // False: no room, this entry is to come first next time. `next` is the position behind it.
  virtual bool Add(std::string_view name, uint64_t number, uint8_t type, uint64_t next) = 0;

 protected:
  ~DirectorySink() = default;
};

// What a directory is called, and where.
struct PlaceInParent {
  Ref<Inode> parent;
  size_t name_size = 0;
  char name[kNAME_MAX];

  std::string_view name_view() const { return {name, name_size}; }
};

class Inode : public FileObject {
 public:
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  void AddReference() { references_.Add(); }
  void DropReference() {
    if (references_.Drop()) {
      if (watches.load(std::memory_order_acquire) != nullptr) [[unlikely]] {
        notice::TellGone(*this);
      }
      Destroy();
    }
  }
  // For a file system that finds it without having a reference, under a lock that its end takes.
  [[nodiscard]] bool TryAddReference() { return references_.AddUnlessZero(); }

  FileSystem& file_system() const { return file_system_; }
  uint64_t number() const { return number_; }
  uint32_t type() const { return mode() & kS_IFMT; }
  bool is_directory() const { return type() == kS_IFDIR; }
  bool is_symlink() const { return type() == kS_IFLNK; }
  bool is_regular() const { return type() == kS_IFREG; }
  // A moment old each; no lock is needed.
  uint32_t mode() const { return mode_.load(std::memory_order_relaxed); }
  uint32_t user() const { return user_.load(std::memory_order_relaxed); }
  uint32_t group() const { return group_.load(std::memory_order_relaxed); }
  uint64_t special_device() const { return special_device_; }

  FileStatus GetStatus();
  // Learns what may have changed elsewhere, before somebody is told. May sleep.
  virtual void RefreshStatus() {}
  // EPERM: this file system has fixed attributes.
  virtual Result<void, Errno> ChangeAttributes(const AttributeChange& change);

  // EISDIR or EINVAL.
  bool is_seekable() const override { return is_directory(); }
  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;

  // Makes `file`, which is of this inode, ready for use: sets its object, if that is another.
  // ENXIO: nothing is behind a device node. May sleep (FIFO).
  virtual Result<void, Errno> Open(File& file);

  // ---- regular files
  virtual Result<void, Errno> Truncate(uint64_t size);
  // fallocate; `mode` is one of those that make sense. EOPNOTSUPP.
  virtual Result<void, Errno> Allocate(uint32_t mode, uint64_t offset, uint64_t size,
                                       uint64_t size_limit);
  // Seals of a memfd; EINVAL: not one.
  virtual Result<uint32_t, Errno> GetSeals();
  virtual Result<void, Errno> AddSeals(uint32_t seals);

  // ---- directories. Names are valid: not empty, no slash, at most kNAME_MAX bytes, neither "."
  // nor "..". ENOENT also when the directory itself has been removed.
  virtual Result<Ref<Inode>, Errno> Lookup(std::string_view name);
  // The directory that this one lies in; itself at the root of a file system.
  virtual Ref<Inode> Parent();
  // EEXIST, ENOSPC.
  virtual Result<Ref<Inode>, Errno> Create(std::string_view name, const NewNode& node);
  // A regular file without a name; `linkable`: it may be given one later.
  virtual Result<Ref<Inode>, Errno> CreateUnnamed(const NewNode& node, bool linkable);
  // A further name for `target`, of the same file system and not a directory. EMLINK, EEXIST.
  virtual Result<void, Errno> Link(std::string_view name, Inode& target);
  // EISDIR.
  virtual Result<void, Errno> Unlink(std::string_view name);
  // ENOTDIR, ENOTEMPTY.
  virtual Result<void, Errno> RemoveDirectory(std::string_view name);
  // `to` is of the same file system. `flags`: kRENAME_NOREPLACE or kRENAME_EXCHANGE.
  virtual Result<void, Errno> Rename(std::string_view name, Inode& to, std::string_view to_name,
                                     uint32_t flags);

  // Where it is, or one of the places. ENOENT: it has no name any more. EINVAL: cannot be told.
  virtual Result<void, Errno> GetPlace(PlaceInParent& out);
  // What /proc/self/fd shows for what never had a path: "pipe:[7]" for a label "pipe", or the label
  // itself if it has a colon. Empty: it has a path.
  virtual std::string_view label() const { return {}; }

  // ---- symbolic links
  // The text; valid as long as the inode.
  virtual Result<std::string_view, Errno> LinkTarget();
  // Links of /proc lead to an object, whatever their text says. Null: the text counts.
  virtual Result<Ref<Inode>, Errno> FollowDirectly();

  // ---- FIFOs
  virtual Pipe* pipe();

  // ---- extended attributes
  // Whether it can have some. False by default.
  virtual bool keeps_extended_attributes() const { return false; }
  // Null: it has none.
  ExtendedAttributes* extended_attributes() const {
    return extended_attributes_.load(std::memory_order_acquire);
  }
  // ENOSPC: no memory.
  Result<ExtendedAttributes*, Errno> EnsureExtendedAttributes();

  // The root of what is mounted here, or null.
  FileSystem* mounted() const { return mounted_.load(std::memory_order_acquire); }

  // See notice.h.
  std::atomic<InodeWatches*> watches{nullptr};
  // See file_lock.h.
  std::atomic<FileLocks*> locks{nullptr};

  // After a read: the access time, if it is not later than the last change anyhow (mount option
  // relatime).
  void TouchAccessTime();

 protected:
  Inode(FileSystem& file_system, uint64_t number, const NewNode& node);
  ~Inode();

  // The last reference is gone: `Delete(this)` of the final class.
  virtual void Destroy() = 0;
  // Size and blocks.
  virtual void AddSize(FileStatus& status) REQUIRES(lock_);

  // Requires: the lock. Both times become `now`.
  void TouchModification(FileTime now) REQUIRES(lock_) {
    modification_time_ = now;
    change_time_ = now;
  }
  void TouchChange(FileTime now) REQUIRES(lock_) { change_time_ = now; }
  // What somebody else has decided.
  void SetOwnership(uint32_t mode, uint32_t user, uint32_t group) REQUIRES(lock_) {
    mode_.store(mode, std::memory_order_relaxed);
    user_.store(user, std::memory_order_relaxed);
    group_.store(group, std::memory_order_relaxed);
  }
  // A write by somebody who is not root takes the rights away that the file lends.
  void DropSetIdBits() REQUIRES(lock_);

  // Of the attributes, and of whatever else the file system wants. Last in every order but for
  // those of memory.
  SpinLock lock_;
  uint32_t links_ GUARDED_BY(lock_) = 0;
  FileTime access_time_ GUARDED_BY(lock_);
  FileTime modification_time_ GUARDED_BY(lock_);
  FileTime change_time_ GUARDED_BY(lock_);

 private:
  friend void Mount(Inode& place, FileSystem& file_system);
  friend void UnmountAll();

  ReferenceCount references_{1};
  FileSystem& file_system_;
  const uint64_t number_;
  std::atomic<uint32_t> mode_;
  std::atomic<uint32_t> user_;
  std::atomic<uint32_t> group_;
  const uint64_t special_device_;
  const FileTime birth_time_;
  std::atomic<FileSystem*> mounted_{nullptr};
  std::atomic<ExtendedAttributes*> extended_attributes_{nullptr};
};

}  // namespace nsgx::libos
