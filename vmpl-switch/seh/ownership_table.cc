// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/ownership_table.h"

#include <algorithm>

#include "base/core/addr_raw.h"
#include "base/core/align.h"

namespace nsgx::seh {
namespace {

// The first `size` bytes at `bytes` all are `value`: returns how many, in steps of a word where
// that is possible.
uint64_t CountEqual(const uint8_t* bytes, uint64_t size, uint8_t value) {
  const uint64_t pattern = uint64_t{value} * 0x0101010101010101;
  uint64_t count = 0;
  while (size - count >= sizeof(uint64_t)) {
    uint64_t word;
    __builtin_memcpy(&word, bytes + count, sizeof(word));
    if (word != pattern) {
      break;
    }
    count += sizeof(word);
  }
  while (count < size && bytes[count] == value) {
    ++count;
  }
  return count;
}

}  // namespace

Result<void> OwnershipTable::Create(uint64_t page_count) {
  CHECK(root_ == nullptr && page_count <= kMaxPageCount);
  root_ = reinterpret_cast<Word*>(TRY(machine_.AllocateTablePage()));
  page_count_ = page_count;
  return {};
}

void OwnershipTable::Destroy() {
  if (root_ != nullptr) {
    for (uint64_t i = 0; i < kUpperCount; ++i) {
      FreeBelow(root_[i]);
    }
    machine_.FreeTablePage(reinterpret_cast<std::byte*>(root_));
    root_ = nullptr;
  }
  while (spares_ != nullptr) {
    machine_.FreeTablePage(TakeSpare());
  }
}

OwnershipTable::Word* OwnershipTable::Upper(Word word) {
  CHECK(IsTable(word));
  return PointerTo<Word>(MonitorVirt(word));
}

uint8_t* OwnershipTable::Leaf(Word word) {
  CHECK(IsTable(word));
  return PointerTo<uint8_t>(MonitorVirt(word));
}

OwnershipTable::Word* OwnershipTable::RootWord(uint64_t page) const {
  CHECK(root_ != nullptr && page / kMiddlePages < kUpperCount);
  return &root_[page / kMiddlePages];
}

OwnershipTable::Word* OwnershipTable::MiddleWord(Word root_word, uint64_t page) {
  return &Upper(root_word)[page / kLeafCount % kUpperCount];
}

// A run that reaches the end of the range may as well have the rest of the last block, which does
// not exist: then the end needs no tables.
PageRun OwnershipTable::Extended(PageRun run) const {
  CHECK(run.first <= page_count_ && run.count <= page_count_ - run.first);
  if (run.count != 0 && run.end() == page_count_) {
    run.count = AlignUp(page_count_, kMiddlePages) - run.first;
  }
  return run;
}

PageEntry OwnershipTable::Get(uint64_t page) const {
  PageEntry entry;
  EqualFrom(PageRun{page, 1}, &entry);
  return entry;
}

// Returns how many pages at the start of `run`, at least one, are known to be alike, and their
// entry.
uint64_t OwnershipTable::EqualFrom(PageRun run, PageEntry* entry) const {
  CHECK(run.first < page_count_ && run.count != 0 && run.count <= page_count_ - run.first);
  const Word root_word = *RootWord(run.first);
  if (!IsTable(root_word)) {
    *entry = BlockEntry(root_word);
    return std::min(run.count, kMiddlePages - run.first % kMiddlePages);
  }
  const Word middle_word = *MiddleWord(root_word, run.first);
  const uint64_t index = run.first % kLeafCount;
  const uint64_t count = std::min(run.count, kLeafCount - index);
  if (!IsTable(middle_word)) {
    *entry = BlockEntry(middle_word);
    return count;
  }
  const uint8_t* bytes = Leaf(middle_word) + index;
  *entry = PageEntry(bytes[0]);
  return CountEqual(bytes, count, bytes[0]);
}

OwnershipTable::Missing OwnershipTable::MissingAt(uint64_t page) const {
  if (page % kMiddlePages == 0) {
    return {};
  }
  const Word root_word = *RootWord(page);
  const bool no_middle = !IsTable(root_word);
  const bool no_leaf =
      page % kLeafCount != 0 && (no_middle || !IsTable(*MiddleWord(root_word, page)));
  return {no_middle, no_leaf};
}

uint32_t OwnershipTable::MissingSpares(PageRun run) const {
  run = Extended(run);
  const Missing first = MissingAt(run.first);
  Missing last = MissingAt(run.end());
  // Both edges may need the very same table.
  if (run.first / kMiddlePages == run.end() / kMiddlePages) {
    last.middle = last.middle && !first.middle;
  }
  if (run.first / kLeafCount == run.end() / kLeafCount) {
    last.leaf = last.leaf && !first.leaf;
  }
  const uint32_t needed =
      uint32_t{first.middle} + uint32_t{first.leaf} + uint32_t{last.middle} + uint32_t{last.leaf};
  return needed > spare_count_ ? needed - spare_count_ : 0;
}

void OwnershipTable::AddSpare(std::byte* page) {
  __builtin_memcpy(page, &spares_, sizeof(spares_));
  spares_ = page;
  ++spare_count_;
}

std::byte* OwnershipTable::TakeSpare() {
  CHECK(spares_ != nullptr);
  std::byte* page = spares_;
  __builtin_memcpy(&spares_, page, sizeof(spares_));
  --spare_count_;
  return page;
}

Result<void> OwnershipTable::Prepare(PageRun run) {
  if (MissingSpares(run) != 0) {
    return Error(Status::kNoMemory);
  }
  run = Extended(run);
  SplitAt(run.first);
  SplitAt(run.end());
  return {};
}

// Makes the tables that let entries differ on both sides of the boundary before `page`.
void OwnershipTable::SplitAt(uint64_t page) {
  const Missing missing = MissingAt(page);
  if (missing.middle) {
    Word* root_word = RootWord(page);
    Word* middle = reinterpret_cast<Word*>(TakeSpare());
    std::fill_n(middle, kUpperCount, *root_word);
    *root_word = AddressOf<MonitorVirt>(middle).raw();
  }
  if (missing.leaf) {
    Word* middle_word = MiddleWord(*RootWord(page), page);
    uint8_t* leaf = reinterpret_cast<uint8_t*>(TakeSpare());
    __builtin_memset(leaf, BlockEntry(*middle_word).bits_, kLeafCount);
    *middle_word = AddressOf<MonitorVirt>(leaf).raw();
  }
}

// Makes spares of the table that `word` names, if it does, and of everything below.
void OwnershipTable::FreeBelow(Word word) {
  if (!IsTable(word)) {
    return;
  }
  for (uint64_t i = 0; i < kUpperCount; ++i) {
    FreeLeaf(Upper(word)[i]);
  }
  AddSpare(reinterpret_cast<std::byte*>(Upper(word)));
}

void OwnershipTable::FreeLeaf(Word word) {
  if (IsTable(word)) {
    AddSpare(reinterpret_cast<std::byte*>(Leaf(word)));
  }
}

void OwnershipTable::Set(PageRun run, PageEntry entry) {
  run = Extended(run);
  while (run.count != 0) {
    Word* root_word = RootWord(run.first);
    uint64_t count;
    if (run.first % kMiddlePages == 0 && run.count >= kMiddlePages) {
      count = kMiddlePages;
      FreeBelow(*root_word);
      *root_word = BlockWord(entry);
    } else {
      Word* middle_word = MiddleWord(*root_word, run.first);
      const uint64_t index = run.first % kLeafCount;
      count = std::min(run.count, kLeafCount - index);
      if (count == kLeafCount) {
        FreeLeaf(*middle_word);
        *middle_word = BlockWord(entry);
      } else {
        __builtin_memset(Leaf(*middle_word) + index, entry.bits_, count);
      }
    }
    run = {run.first + count, run.count - count};
  }
}

void OwnershipTable::SetBusy(PageRun run, bool busy) {
  run = Extended(run);
  while (run.count != 0) {
    Word* root_word = RootWord(run.first);
    uint64_t count;
    if (!IsTable(*root_word)) {
      count = kMiddlePages;
      CHECK(run.first % kMiddlePages == 0 && run.count >= count);
      *root_word = BlockWord(BlockEntry(*root_word).WithBusy(busy));
    } else {
      Word* middle_word = MiddleWord(*root_word, run.first);
      const uint64_t index = run.first % kLeafCount;
      count = std::min(run.count, kLeafCount - index);
      if (!IsTable(*middle_word)) {
        CHECK(count == kLeafCount);
        *middle_word = BlockWord(BlockEntry(*middle_word).WithBusy(busy));
      } else {
        uint8_t* bytes = Leaf(*middle_word) + index;
        for (uint64_t i = 0; i < count; ++i) {
          bytes[i] = PageEntry(bytes[i]).WithBusy(busy).bits_;
        }
      }
    }
    run = {run.first + count, run.count - count};
  }
}

}  // namespace nsgx::seh
