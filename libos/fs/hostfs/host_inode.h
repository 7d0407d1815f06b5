// SPDX-License-Identifier: Apache-2.0
// What all objects of a hostfs have in common: a token of the host's, attributes that it claims,
// and the place where the object was seen last.
#pragma once

#include <cstdint>
#include <string_view>

#include "libos/host/files.h"
#include "libos/kernel/wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {

class HostDirectory;
class HostFs;
struct HostEpoch;

// How long what the host has said is believed without asking again.
inline constexpr uint64_t kHostBelief = 1'000'000'000;  // nanoseconds

class HostInode : public Inode {
 public:
  HostFs& hostfs() const { return hostfs_; }
  host::FileToken token() const { return token_; }

  Result<void, Errno> ChangeAttributes(const AttributeChange& change) override;
  Result<void, Errno> GetPlace(PlaceInParent& out) override;
  // FIFOs, sockets and devices of the host are shown, not opened. ENXIO.
  Result<void, Errno> Open(File& file) override;
  void RefreshStatus() override;

  // Takes over what the host said of this object when the counts were `epoch`.
  void Learn(const host::FileFacts& facts, HostEpoch epoch);

 protected:
  // `Delete(this)` of the final class.
  virtual void Finish() = 0;
  HostInode(HostFs& file_system, const host::FileFacts& facts);
  ~HostInode();

  void AddSize(FileStatus& status) override REQUIRES(lock_) {
    status.size = size_;
    status.blocks = blocks_;
    status.block_size = block_size_;
  }
  bool IsOld() const REQUIRES(lock_);
  // What was said is no longer so.
  void Expire() REQUIRES(lock_) { believed_until_ = 0; }

  // Of a regular file that the program uses, kept inside; else the host's last word.
  uint64_t size_ GUARDED_BY(lock_) = 0;

 private:
  friend class HostFs;

  void Destroy() final;

  HostFs& hostfs_;
  const host::FileToken token_;
  const uint64_t device_;
  uint64_t blocks_ GUARDED_BY(lock_) = 0;
  uint32_t block_size_ GUARDED_BY(lock_) = 4096;
  Deadline believed_until_ GUARDED_BY(lock_) = 0;
  uint64_t names_epoch_ GUARDED_BY(lock_) = 0;

  // Under the file system's lock: the chain of live inodes, that of those that end, and where this
  // one was seen last.
  HostInode* next_ = nullptr;
  HostInode* next_ending_ = nullptr;
  Ref<HostDirectory> parent_;
  char* name_ = nullptr;
  size_t name_size_ = 0;
};

// A FIFO, socket or device.
class HostSpecial final : public HostInode {
 public:
  HostSpecial(HostFs& file_system, const host::FileFacts& facts) : HostInode(file_system, facts) {}

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~HostSpecial() = default;
  void Finish() override { Delete(this); }
};

class HostSymlink final : public HostInode {
 public:
  HostSymlink(HostFs& file_system, const host::FileFacts& facts) : HostInode(file_system, facts) {}

  Result<std::string_view, Errno> LinkTarget() override;

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~HostSymlink() { KernelFree(text_); }
  void Finish() override { Delete(this); }

  // Asked for once: a link never changes.
  char* text_ GUARDED_BY(lock_) = nullptr;
  size_t text_size_ GUARDED_BY(lock_) = 0;
};

}  // namespace nsgx::libos
