// SPDX-License-Identifier: Apache-2.0
// Finds a name in a directory of a ramfs: one hash table for the whole file system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "libos/fs/ramfs/ram_inode.h"

namespace nsgx::libos {

// Grows by one bucket at a time (linear hashing), so that no insertion takes long and none can
// fail: when there is no memory for more buckets, chains become longer. Not locked.
class NameTable {
 public:
  constexpr NameTable() = default;
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;
  // Requires: empty.
  ~NameTable();

  // Of `name` in `directory`; may be computed without the lock.
  static uint64_t Hash(const RamDirectory& directory, std::string_view name);

  // Null: there is none.
  RamName* Find(const RamDirectory& directory, std::string_view name, uint64_t hash) const;
  // Requires: name.hash and name.directory are set, and no such name is there.
  void Insert(RamName& name);
  void Erase(RamName& name);

  size_t count() const { return count_; }

 private:
  static constexpr size_t kSegmentSize = 512;  // buckets in a page
  static constexpr size_t kSegments = 512;
  static constexpr size_t kFirstBuckets = 16;

  using Segment = std::array<RamName*, kSegmentSize>;

  size_t BucketOf(uint64_t hash) const;
  RamName** Bucket(size_t index) const;
  void Split();

  // The first few lie here, so that a small file system needs no segment.
  mutable std::array<RamName*, kFirstBuckets> first_ = {};
  std::array<Segment*, kSegments> segments_ = {};
  // Buckets in use: between `level_` and twice that.
  size_t level_ = kFirstBuckets;
  size_t buckets_ = kFirstBuckets;
  size_t count_ = 0;
};

}  // namespace nsgx::libos
