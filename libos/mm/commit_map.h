// SPDX-License-Identifier: Apache-2.0
// Which pages of the program's part of the address range are committed, and which of those may hold
// something else than zeros.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

enum class PageState : uint8_t {
  kUncommitted,
  kClean,  // committed, all zeros
  kDirty,  // committed, contents unknown
};

// Two bits a page, in tables for 1 GiB each that are made when something in them is committed
// first. Not locked.
class CommitMap {
 public:
  constexpr CommitMap() = default;
  CommitMap(const CommitMap&) = delete;
  CommitMap& operator=(const CommitMap&) = delete;

  // Covers addresses from `base` on. Once, before anything else.
  void Init(uint64_t base) { base_ = base; }

  // Makes the tables for [begin, end), so that Set cannot fail there. ENOMEM.
  Result<void, Errno> Reserve(uint64_t begin, uint64_t end);

  PageState Get(uint64_t address) const;

  // The longest run of pages in one state from `begin` on, up to `end`. Returns its end.
  uint64_t RunEnd(uint64_t begin, uint64_t end, PageState* state) const;
  uint64_t CountCommitted(uint64_t begin, uint64_t end) const;

  // Requires: Reserve, unless `state` is kUncommitted.
  void Set(uint64_t begin, uint64_t end, PageState state);

 private:
  static constexpr uint64_t kPagesPerTable = uint64_t{1} << 18;  // 1 GiB
  static constexpr uint64_t kTables = uint64_t{1} << 12;         // 4 TiB, the largest address range
  static constexpr uint64_t kWords = kPagesPerTable / 64;

  struct Table {
    uint64_t committed[kWords];
    uint64_t dirty[kWords];
  };

  uint64_t PageOf(uint64_t address) const { return (address - base_) >> 12; }

  uint64_t base_ = 0;
  Table* tables_[kTables] = {};
};

}  // namespace nsgx::libos
