// SPDX-License-Identifier: Apache-2.0
// A file system in memory, as Linux's tmpfs has it: for "/", "/tmp" and, with device nodes in it,
// for "/dev".
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/fs/ramfs/name_table.h"
#include "libos/fs/ramfs/ram_file.h"
#include "libos/fs/ramfs/ram_inode.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/pipe.h"
#include "libos/vfs/radix_tree.h"

namespace nsgx::libos {

class RamDirectory final : public RamInode {
 public:
  RamDirectory(RamFs& file_system, uint64_t number, const NewNode& node)
      : RamInode(file_system, number, node) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override;
  Ref<Inode> Parent() override;
  Result<Ref<Inode>, Errno> Create(std::string_view name, const NewNode& node) override;
  Result<Ref<Inode>, Errno> CreateUnnamed(const NewNode& node, bool linkable) override;
  Result<void, Errno> Link(std::string_view name, Inode& target) override;
  Result<void, Errno> Unlink(std::string_view name) override;
  Result<void, Errno> RemoveDirectory(std::string_view name) override;
  Result<void, Errno> Rename(std::string_view name, Inode& to, std::string_view to_name,
                             uint32_t flags) override;

  Result<void, Errno> ReadEntries(File& file, DirectorySink& sink) override;
  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override;
  Result<void, Errno> Sync(File&) override { return {}; }

 private:
  friend class RamFs;
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~RamDirectory() = default;
  void Destroy() override { Delete(this); }
  void AddSize(FileStatus& status) override;

  // All protected by the file system's lock.
  RadixTree<RamName> by_cookie_;
  uint64_t next_cookie_ = 2;              // behind "." and ".."
  std::atomic<uint64_t> entry_count_{0};  // read for stat without that lock
  bool is_removed_ = false;
  Ref<RamDirectory> former_parent_;  // of a removed directory: where its ".." leads
};

class RamSymlink final : public RamInode {
 public:
  // ENOSPC: no memory for the text.
  static Result<Ref<RamInode>, Errno> New(RamFs& file_system, uint64_t number, const NewNode& node);
  // For New.
  RamSymlink(RamFs& file_system, uint64_t number, const NewNode& node, char* text)
      : RamInode(file_system, number, node), text_(text), size_(node.link_target.size()) {}

  Result<std::string_view, Errno> LinkTarget() override { return std::string_view(text_, size_); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~RamSymlink() { KernelFree(text_); }
  void Destroy() override { Delete(this); }
  void AddSize(FileStatus& status) override { status.size = size_; }

  char* const text_;
  const size_t size_;
};

// A name for something that is elsewhere: device, socket, FIFO.
class RamSpecial final : public RamInode {
 public:
  RamSpecial(RamFs& file_system, uint64_t number, const NewNode& node)
      : RamInode(file_system, number, node) {}

  Pipe* pipe() override { return type() == kS_IFIFO ? &pipe_ : nullptr; }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~RamSpecial() = default;
  void Destroy() override { Delete(this); }

  Pipe pipe_;
};

// Names change under one lock, which is held for the change alone; what has lost its last name goes
// after that.
class RamFs final : public FileSystem {
 public:
  // Requires: Init before anything else, except for files in memory.
  constexpr RamFs(std::string_view kind, uint64_t device, bool is_read_only = false)
      : FileSystem(kind, device, is_read_only) {}
  // Requires: no open file, nor anything else, refers to an inode but the tree itself.
  ~RamFs();

  // Makes the root directory. ENOSPC.
  Result<void, Errno> Init(uint32_t root_mode);

  Inode& root() override { return *root_; }
  void DescribeSpace(LinuxStatfs& out) override;

  // A file that no directory will ever list. ENOSPC.
  Result<Ref<RamFile>, Errno> CreateMemoryFile(std::string_view label, const NewNode& node);

 private:
  friend class RamDirectory;
  friend class RamInode;

  Result<Ref<RamInode>, Errno> NewInode(const NewNode& node);

  Result<Ref<RamInode>, Errno> Create(RamDirectory& directory, std::string_view name,
                                      const NewNode& node);
  Result<void, Errno> Link(RamDirectory& directory, std::string_view name, RamInode& target);
  Result<void, Errno> Remove(RamDirectory& directory, std::string_view name, bool is_rmdir);
  Result<void, Errno> Rename(RamDirectory& from, std::string_view from_text, RamDirectory& to,
                             std::string_view to_text, uint32_t flags);

  RamName* Find(RamDirectory& directory, std::string_view name, uint64_t hash) REQUIRES(lock_) {
    return names_.Find(directory, name, hash);
  }
  // Puts `name`, whose inode is set, into the directory. False: no memory. The counts of links are
  // the caller's.
  [[nodiscard]] bool Attach(RamDirectory& directory, RamName& name, uint64_t hash) REQUIRES(lock_);
  // Takes `name` out; the caller frees it after the lock.
  void Detach(RamName& name) REQUIRES(lock_);
  // `inode` has lost a name in `directory`.
  void NoteRemoval(RamDirectory& directory, RamInode& inode, FileTime now) REQUIRES(lock_);
  // A subdirectory has come (1) or gone (-1).
  static void CountSubdirectory(RamDirectory& directory, int32_t change, FileTime now);
  // True: `directory` is `ancestor`, or lies somewhere below it.
  bool IsBelow(RamDirectory& directory, const RamInode& ancestor) REQUIRES(lock_);
  RamDirectory& ParentOf(RamDirectory& directory) REQUIRES(lock_);

  SpinLock lock_;
  NameTable names_ GUARDED_BY(lock_);
  std::atomic<uint64_t> next_number_{1};
  std::atomic<uint64_t> inode_count_{0};
  Ref<RamDirectory> root_;
};

}  // namespace nsgx::libos
