// SPDX-License-Identifier: Apache-2.0
// Which pages of the program's part of the address range are committed.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

// One bit a page, in tables for 1 GiB each that are made when something in them is committed first.
// Not locked.
class CommitMap {
 public:
  constexpr CommitMap() = default;
  CommitMap(const CommitMap&) = delete;
  CommitMap& operator=(const CommitMap&) = delete;

  // Covers addresses from `base` on. Once, before anything else.
  void Init(uint64_t base) { base_ = base; }

  // Makes the tables for [begin, end), so that pages there can be marked committed. ENOMEM.
  Result<void, Errno> Reserve(uint64_t begin, uint64_t end);

  bool IsCommitted(uint64_t address) const;

  // The pages from `begin` on that are like the first one, up to `end`. Returns their end.
  uint64_t RunEnd(uint64_t begin, uint64_t end, bool* is_committed) const;

  // Requires: Reserve, if `is_committed`.
  void Set(uint64_t begin, uint64_t end, bool is_committed);

 private:
  static constexpr uint64_t kPagesPerTable = uint64_t{1} << 18;  // 1 GiB
  static constexpr uint64_t kTables = uint64_t{1} << 12;         // 4 TiB, the largest address range
  static constexpr uint64_t kWords = kPagesPerTable / 64;

  struct Table {
    uint64_t committed[kWords];
  };

  uint64_t PageOf(uint64_t address) const { return (address - base_) >> 12; }

  uint64_t base_ = 0;
  Table* tables_[kTables] = {};
};

}  // namespace nsgx::libos
