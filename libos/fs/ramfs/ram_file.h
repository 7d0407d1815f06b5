// SPDX-License-Identifier: Apache-2.0
// A regular file in memory: a tree of pages, with holes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "libos/fs/ramfs/ram_inode.h"
#include "libos/kernel/wait.h"
#include "libos/mm/mapped_file.h"
#include "libos/vfs/radix_tree.h"

namespace nsgx::libos {

// Bytes are copied between the program and the pages directly, once, and not under the lock: the
// program's memory may fault, and the fault may need this very file (see MappedFile). So
//   - whoever changes the file in large steps or takes pages away has it for itself (`writing_`);
//   - a page that has been taken out of the tree is given back only when nobody copies from pages
//   any more (`pins_`);
//   - a page is filled before it is put into the tree.
// Transfers of a few bytes go by way of the stack and need nothing but the lock.
//
// What lies in a page behind the end of the file is zero.
class RamFile final : public RamInode, public MappedFile {
 public:
  // `label`: of a memfd, else empty.
  RamFile(RamFs& file_system, uint64_t number, const NewNode& node, std::string_view label = {});

  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request) override;
  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override;
  bool is_seekable() const override { return true; }
  Result<size_t, Errno> ReadableBytes(File& file) override;
  Result<void, Errno> Sync(File&) override { return {}; }
  MappedFile* Mapping(File& file) override;
  void Closed(File& file) override;

  Result<void, Errno> Truncate(uint64_t size) override;
  Result<void, Errno> Allocate(uint32_t mode, uint64_t offset, uint64_t size,
                               uint64_t size_limit) override;
  Result<uint32_t, Errno> GetSeals() override;
  Result<void, Errno> AddSeals(uint32_t seals) override;
  // memfd_create: which seals it starts with.
  void InitSeals(uint32_t seals);
  std::string_view label() const override { return {label_, label_size_}; }

  Result<size_t, Errno> ReadForMapping(uint64_t offset, std::span<std::byte> out) override;
  Result<void, Errno> WriteBack(uint64_t offset, std::span<const std::byte> data) override;
  bool is_coherent() const override { return true; }
  Result<void, Errno> LendPage(uint64_t offset, std::span<std::byte, 4096> page,
                               bool for_writing) override;
  Result<void, Errno> LendForWriting(uint64_t offset) override;
  void NoticeReturned(bool was_for_writing, bool is_gone) override;
  void AddMappingReference() override { AddReference(); }
  void DropMappingReference() override { DropReference(); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~RamFile();
  void Destroy() override { Delete(this); }
  void AddSize(FileStatus& status) override REQUIRES(lock_);

  // At most this many pages are looked up at once; 64 KiB.
  static constexpr size_t kWindow = 16;
  // Transfers up to this size go by way of the stack.
  static constexpr size_t kSmall = 256;
  static constexpr size_t kMaxLabel = 32;

  Result<size_t, Errno> ReadSmall(File& file, IoBuffer& to, const IoRequest& request);
  Result<size_t, Errno> ReadPages(File& file, IoBuffer& to, const IoRequest& request);
  Result<size_t, Errno> WriteSmall(File& file, IoBuffer& from, const IoRequest& request);
  Result<size_t, Errno> WritePages(File& file, IoBuffer& from, const IoRequest& request);

  // Where a write of `size` bytes begins and how much of it may be written. EFBIG, EPERM (sealed).
  struct Extent {
    uint64_t offset;
    size_t size;
  };
  Result<Extent, Errno> PlaceWrite(const File& file, const IoRequest& request, size_t size)
      REQUIRES(lock_);

  // Adjacent pages with undefined contents: how many, at most `wanted`. Null and 0 when memory is
  // out.
  struct Run {
    std::byte* pages;
    size_t count;
  };
  Run TakeRun(size_t wanted) REQUIRES(lock_);
  void FreeReserve() REQUIRES(lock_);

  // The page at `index`, made and cleared if there is none. Null when memory is out.
  std::byte* EnsurePage(uint64_t index) REQUIRES(lock_);

  // Moves up to `size` bytes of the program into pages from `offset` on, and makes the file as long
  // as that; both give up the lock in between. Return how many: 0 when memory is out or the
  // program's memory faults at once.
  size_t WriteWindow(IoBuffer& from, uint64_t offset, size_t size) REQUIRES(lock_);
  size_t WriteFreshRun(IoBuffer& from, uint64_t offset, size_t size) REQUIRES(lock_);

  void Copy(uint64_t offset, std::span<std::byte> out) const REQUIRES(lock_);

  // The caller has the file for itself until EndWriting, as far as changes go. May sleep.
  void BeginWriting() REQUIRES(lock_);
  void EndWriting() REQUIRES(lock_);

  // EndWriting, after a change of these bytes that RecallPages came before.
  void EndChange(uint64_t offset, uint64_t size) REQUIRES(lock_);
  // Gives up the lock while copies that mappings have of the bytes give way. Until EndChange nobody
  // gets one to write to, if the caller has the file for itself.
  void RecallPages(uint64_t offset, uint64_t size, MappedFile::Recall how) REQUIRES(lock_);

  // Takes all pages in [first, last) out of the tree and gives them back. Requires: BeginWriting.
  void RemovePages(uint64_t first, uint64_t last) REQUIRES(lock_);
  // Waits until nobody copies from pages that have been taken out.
  void DrainReaders() REQUIRES(lock_);
  void ZeroRange(uint64_t begin, uint64_t end) REQUIRES(lock_);
  // Puts cleared pages where none are, all or none. ENOSPC.
  Result<void, Errno> FillHoles(uint64_t first, uint64_t last) REQUIRES(lock_);

  RadixTree<std::byte> pages_ GUARDED_BY(lock_);
  uint64_t page_count_ GUARDED_BY(lock_) = 0;
  uint64_t size_ GUARDED_BY(lock_) = 0;
  bool writing_ GUARDED_BY(lock_) = false;
  bool draining_ GUARDED_BY(lock_) = false;
  uint32_t seals_ GUARDED_BY(lock_) = kNotSealable;
  WaitQueue writers_waiting_ GUARDED_BY(lock_);
  // Raised with the lock held, dropped without.
  std::atomic<uint32_t> pins_{0};
  // Pages that mappings have copies of, and those of them that they may write to.
  uint32_t lent_ GUARDED_BY(lock_) = 0;
  uint32_t lent_for_writing_ GUARDED_BY(lock_) = 0;
  // Adjacent pages for a file that grows at its end.
  std::byte* reserve_ GUARDED_BY(lock_) = nullptr;
  size_t reserve_count_ GUARDED_BY(lock_) = 0;

  static constexpr uint32_t kNotSealable = ~uint32_t{0};
  size_t label_size_ = 0;
  char label_[kMaxLabel] = {};
};

}  // namespace nsgx::libos
