// SPDX-License-Identifier: Apache-2.0
// What mmap of a file needs of the file. The VFS implements both; memory management knows nothing
// else of files.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/mm/region_tree.h"

namespace nsgx::libos {

// A file that is mapped. It outlives the descriptor that it was mapped by: one reference for each
// region. No call blocks for long and none maps or unmaps memory; they are made with a lock of the
// address space held.
class MappedFile {
 public:
  // Bytes from `offset` on; fewer than out.size() only at the end of the file.
  virtual Result<size_t, Errno> ReadForMapping(uint64_t offset, std::span<std::byte> out) = 0;
  // Writes bytes of a shared mapping back. Never makes the file longer: what lies behind its end is
  // dropped.
  virtual Result<void, Errno> WriteBack(uint64_t offset, std::span<const std::byte> data) = 0;
  virtual void AddMappingReference() = 0;
  virtual void DropMappingReference() = 0;

  // ---- Files whose shared mappings show the same bytes as read and write do, at once. A page of
  // such a file is copied into a mapping when it is touched there. Either one mapping may write to
  // its copy and nobody else has one, or several have copies that nobody writes to. `recall` makes
  // the copies give way to the file.

  virtual bool is_coherent() const { return false; }
  // Copies the page at `offset` into `page`, for a mapping. EAGAIN: the file is being changed, so
  // no copy can be written to; try again soon. ENXIO: behind the end of the file. ENOSPC: there
  // would be no room to write it back. Requires: with `for_writing`, no mapping has a copy.
  virtual Result<void, Errno> LendPage(uint64_t offset, std::span<std::byte, 4096> page,
                                       bool for_writing);
  // A copy was for reading and is for writing now: EAGAIN, ENXIO, ENOSPC as above.
  virtual Result<void, Errno> LendForWriting(uint64_t offset);
  // A copy that was for writing is for reading, or is gone; one that was for reading is gone.
  virtual void NoticeReturned(bool was_for_writing, bool is_gone);

  enum class Recall {
    kForReading,  // what mappings have written is written back; they keep their copies to read
    kForWriting,  // and the copies are gone
  };
  // Set once there has been a shared mapping. Returns whether one may write to the file. Requires:
  // no lock of the file's.
  using RecallFunction = bool (*)(MappedFile& file, uint64_t offset, uint64_t size, Recall how);
  std::atomic<RecallFunction> recall{nullptr};

  // Regions that share this file's pages: the address space's, and protected by its lock.
  IntrusiveList<Region, SharedFileRegions> shared_regions;

 protected:
  ~MappedFile() = default;
};

inline Result<void, Errno> MappedFile::LendPage(uint64_t, std::span<std::byte, 4096>, bool) {
  return Error(Errno::kENXIO);
}
inline Result<void, Errno> MappedFile::LendForWriting(uint64_t) { return Error(Errno::kENXIO); }
inline void MappedFile::NoticeReturned(bool, bool) {}

// The file behind descriptor `fd`, with one reference for the caller. `write_shared`: the mapping
// is MAP_SHARED and may be written. EBADF; EACCES: not open for reading, or not for writing though
// `write_shared`; ENODEV: cannot be mapped.
Result<MappedFile*, Errno> OpenForMapping(int32_t fd, bool write_shared);

}  // namespace nsgx::libos
