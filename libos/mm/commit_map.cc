// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/commit_map.h"

#include <bit>

#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

// The bits of one word that belong to pages [first, end), as far as they lie in the word that holds
// `first`.
uint64_t MaskFrom(uint64_t first, uint64_t end) {
  const uint64_t low = first % 64;
  const uint64_t count = end - first < 64 - low ? end - first : 64 - low;
  return (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << low;
}

}  // namespace

Result<void, Errno> CommitMap::Reserve(uint64_t begin, uint64_t end) {
  const uint64_t last = PageOf(end - 1) / kPagesPerTable;
  for (uint64_t index = PageOf(begin) / kPagesPerTable; index <= last; ++index) {
    CHECK(index < kTables);
    if (tables_[index] == nullptr) {
      std::byte* memory = KernelAllocatePages(sizeof(Table) / 4096, PageContents::kZero);
      if (memory == nullptr) {
        return Error(Errno::kENOMEM);
      }
      tables_[index] = reinterpret_cast<Table*>(memory);
    }
  }
  return {};
}

bool CommitMap::IsCommitted(uint64_t address) const {
  const uint64_t page = PageOf(address);
  const Table* table = tables_[page / kPagesPerTable];
  return table != nullptr && (table->committed[page % kPagesPerTable / 64] >> (page % 64) & 1) != 0;
}

uint64_t CommitMap::RunEnd(uint64_t begin, uint64_t end, bool* is_committed) const {
  *is_committed = IsCommitted(begin);
  uint64_t page = PageOf(begin);
  const uint64_t last = PageOf(end);
  while (page < last) {
    const Table* table = tables_[page / kPagesPerTable];
    uint64_t word_end = page - page % 64 + 64;
    uint64_t different;
    if (table == nullptr) {
      word_end = page - page % kPagesPerTable + kPagesPerTable;
      different = *is_committed ? ~uint64_t{0} : 0;
    } else {
      const uint64_t word = table->committed[page % kPagesPerTable / 64];
      different = *is_committed ? ~word : word;
    }
    different &= ~uint64_t{0} << (page % 64);
    if (different != 0) {
      const uint64_t found = page - page % 64 + static_cast<uint64_t>(std::countr_zero(different));
      page = found < last ? found : last;
      break;
    }
    page = word_end < last ? word_end : last;
  }
  return base_ + (page << 12);
}

void CommitMap::Set(uint64_t begin, uint64_t end, bool is_committed) {
  const uint64_t last = PageOf(end);
  for (uint64_t page = PageOf(begin); page < last;) {
    Table* table = tables_[page / kPagesPerTable];
    if (table == nullptr) {
      CHECK(!is_committed);
      page += kPagesPerTable - page % kPagesPerTable;
      continue;
    }
    const uint64_t mask = MaskFrom(page, last);
    uint64_t& word = table->committed[page % kPagesPerTable / 64];
    word = is_committed ? word | mask : word & ~mask;
    page += static_cast<uint64_t>(std::popcount(mask));
  }
}

}  // namespace nsgx::libos
