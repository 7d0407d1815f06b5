// SPDX-License-Identifier: Apache-2.0
// What all objects of a ramfs have in common: the names that lead to them.
#pragma once

#include <cstdint>

#include "base/core/intrusive_list.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {

class RamDirectory;
class RamFs;
class RamInode;

struct NamesOfInode;

// One name: an entry of a directory. Protected by the file system's lock. The name's bytes follow
// the object.
class RamName : public ListNode<NamesOfInode> {
 public:
  // ENOSPC: no memory.
  static Result<RamName*, Errno> New(std::string_view name);
  static void Free(RamName* name);

  std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), size_}; }

  RamDirectory* directory = nullptr;
  Ref<RamInode> inode;
  // Place in the directory: larger than those of all names that came before.
  uint64_t cookie = 0;
  // Chain in the table of names.
  RamName* next_in_bucket = nullptr;
  uint64_t hash = 0;

 private:
  explicit RamName(size_t size) : size_(size) {}
  ~RamName() = default;

  const size_t size_;
};

class RamInode : public Inode {
 public:
  RamFs& ramfs() const { return ramfs_; }

  Result<void, Errno> GetPlace(PlaceInParent& out) override;
  bool keeps_extended_attributes() const override { return true; }

 protected:
  RamInode(RamFs& file_system, uint64_t number, const NewNode& node);
  ~RamInode();

 private:
  friend class RamDirectory;
  friend class RamFs;

  // Changes the count by `change`; returns the new one.
  uint32_t CountLinks(int32_t change, FileTime now);
  void Touch(FileTime now);

  RamFs& ramfs_;
  // Both protected by the file system's lock. All names; and whether a file without one may get one
  // (O_TMPFILE).
  IntrusiveList<RamName, NamesOfInode> names_;
  bool is_linkable_ = false;
};

}  // namespace nsgx::libos
