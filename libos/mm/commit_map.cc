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
  for (uint64_t index = PageOf(begin) / kPagesPerTable; index <= PageOf(end - 1) / kPagesPerTable;
       ++index) {
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

PageState CommitMap::Get(uint64_t address) const {
  const uint64_t page = PageOf(address);
  const Table* table = tables_[page / kPagesPerTable];
  if (table == nullptr) {
    return PageState::kUncommitted;
  }
  const uint64_t in_table = page % kPagesPerTable;
  const uint64_t bit = uint64_t{1} << (in_table % 64);
  if ((table->committed[in_table / 64] & bit) == 0) {
    return PageState::kUncommitted;
  }
  return (table->dirty[in_table / 64] & bit) != 0 ? PageState::kDirty : PageState::kClean;
}

uint64_t CommitMap::RunEnd(uint64_t begin, uint64_t end, PageState* state) const {
  *state = Get(begin);
  uint64_t page = PageOf(begin);
  const uint64_t last = PageOf(end);
  while (page < last) {
    const Table* table = tables_[page / kPagesPerTable];
    const uint64_t in_table = page % kPagesPerTable;
    uint64_t word_end = page - page % 64 + 64;
    uint64_t different;
    if (table == nullptr) {
      word_end = page - in_table + kPagesPerTable;
      different = *state == PageState::kUncommitted ? 0 : uint64_t{1} << (page % 64);
    } else {
      const uint64_t committed = table->committed[in_table / 64];
      const uint64_t dirty = table->dirty[in_table / 64];
      different = *state == PageState::kUncommitted ? committed
                  : *state == PageState::kClean     ? ~(committed & ~dirty)
                                                    : ~(committed & dirty);
      different &= ~uint64_t{0} << (page % 64);
    }
    if (different != 0) {
      const uint64_t found = page - page % 64 + static_cast<uint64_t>(std::countr_zero(different));
      page = found < last ? found : last;
      break;
    }
    page = word_end < last ? word_end : last;
  }
  return base_ + (page << 12);
}

uint64_t CommitMap::CountCommitted(uint64_t begin, uint64_t end) const {
  uint64_t count = 0;
  const uint64_t last = PageOf(end);
  for (uint64_t page = PageOf(begin); page < last;) {
    const Table* table = tables_[page / kPagesPerTable];
    const uint64_t in_table = page % kPagesPerTable;
    if (table == nullptr) {
      page += kPagesPerTable - in_table;
      continue;
    }
    const uint64_t mask = MaskFrom(page, last);
    count += static_cast<uint64_t>(std::popcount(table->committed[in_table / 64] & mask));
    page += static_cast<uint64_t>(std::popcount(mask));
  }
  return count;
}

void CommitMap::Set(uint64_t begin, uint64_t end, PageState state) {
  const uint64_t last = PageOf(end);
  for (uint64_t page = PageOf(begin); page < last;) {
    Table* table = tables_[page / kPagesPerTable];
    const uint64_t in_table = page % kPagesPerTable;
    if (table == nullptr) {
      CHECK(state == PageState::kUncommitted);
      page += kPagesPerTable - in_table;
      continue;
    }
    const uint64_t mask = MaskFrom(page, last);
    uint64_t& committed = table->committed[in_table / 64];
    uint64_t& dirty = table->dirty[in_table / 64];
    committed = state == PageState::kUncommitted ? committed & ~mask : committed | mask;
    dirty = state == PageState::kDirty ? dirty | mask : dirty & ~mask;
    page += static_cast<uint64_t>(std::popcount(mask));
  }
}

}  // namespace nsgx::libos
