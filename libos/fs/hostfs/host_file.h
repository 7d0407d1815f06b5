// SPDX-License-Identifier: Apache-2.0
// A regular file of the host. Bytes go between the program's memory and the shared window directly,
// without a cache: what is written has reached the host when the call returns. Only small reads one
// behind the other are served from a buffer that is read ahead.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "libos/fs/hostfs/host_inode.h"
#include "libos/kernel/wait.h"
#include "libos/mm/mapped_file.h"

namespace nsgx::libos {

class HostFile final : public HostInode, public MappedFile {
 public:
  HostFile(HostFs& file_system, const host::FileFacts& facts) : HostInode(file_system, facts) {}
  // It was just made, and is open on the host's side.
  void SetReady();
  // The same, and it has no name; `linkable`: it may get one.
  void SetUnnamed(bool linkable);
  bool is_linkable() const { return is_linkable_.load(std::memory_order_relaxed); }

  Result<void, Errno> Open(File& file) override;
  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request) override;
  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override;
  bool is_seekable() const override { return true; }
  Result<size_t, Errno> ReadableBytes(File& file) override;
  Result<void, Errno> Sync(File& file) override;
  Result<void, Errno> SyncData(File& file) override;
  MappedFile* Mapping(File&) override { return this; }

  Result<void, Errno> Truncate(uint64_t size) override;
  Result<void, Errno> Allocate(uint32_t mode, uint64_t offset, uint64_t size,
                               uint64_t size_limit) override;

  Result<size_t, Errno> ReadForMapping(uint64_t offset, std::span<std::byte> out) override;
  Result<void, Errno> WriteBack(uint64_t offset, std::span<const std::byte> data) override;
  void AddMappingReference() override { AddReference(); }
  void DropMappingReference() override { DropReference(); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~HostFile();
  void Finish() override { Delete(this); }

  // Reads up to this size may be served from the buffer.
  static constexpr size_t kSmall = 8192;
  static constexpr size_t kAheadPages = 16;

  Result<size_t, Errno> ReadDirectly(uint64_t offset, size_t size, IoBuffer& to);
  // Nothing was read: the buffer is not for this.
  size_t ReadFromBuffer(uint64_t offset, size_t size, IoBuffer& to);
  void FillBuffer(uint64_t offset);

  // The caller alone changes data and size until EndWriting. May sleep.
  void BeginWriting() REQUIRES(lock_);
  void EndWriting() REQUIRES(lock_);

  std::atomic<bool> is_linkable_{true};
  // The host has it open so.
  bool can_read_ GUARDED_BY(lock_) = false;
  bool can_write_ GUARDED_BY(lock_) = false;
  bool writing_ GUARDED_BY(lock_) = false;
  WaitQueue writers_waiting_ GUARDED_BY(lock_);

  // The buffer: what the file had from `ahead_offset_` on. It is filled, or copied from by
  // `ahead_users_`, never both.
  std::byte* ahead_ GUARDED_BY(lock_) = nullptr;
  uint64_t ahead_offset_ GUARDED_BY(lock_) = 0;
  size_t ahead_size_ GUARDED_BY(lock_) = 0;
  Deadline ahead_until_ GUARDED_BY(lock_) = 0;
  uint32_t ahead_users_ GUARDED_BY(lock_) = 0;
  bool ahead_filling_ GUARDED_BY(lock_) = false;
  // Where the read before ended.
  uint64_t last_end_ GUARDED_BY(lock_) = 0;
};

}  // namespace nsgx::libos
