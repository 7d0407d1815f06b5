// SPDX-License-Identifier: Apache-2.0
// What mmap of a file needs of the file. The VFS implements both; memory management knows nothing
// else of files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

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

 protected:
  ~MappedFile() = default;
};

// The file behind descriptor `fd`, with one reference for the caller. `write_shared`: the mapping
// is MAP_SHARED and may be written. EBADF; EACCES: not open for reading, or not for writing though
// `write_shared`; ENODEV: cannot be mapped.
Result<MappedFile*, Errno> OpenForMapping(int32_t fd, bool write_shared);

}  // namespace nsgx::libos
