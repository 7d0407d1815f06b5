// SPDX-License-Identifier: Apache-2.0
// Who each page of an enclave's address range belongs to, and what the enclave may do with it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/core/check.h"
#include "base/core/result.h"
#include "vmpl-switch/seh/machine.h"

namespace nsgx::seh {

enum class PageState : uint8_t {
  kFree = 0,      // not committed: nobody's
  kImage = 1,     // measured contents
  kDeferred = 2,  // measured contents that nobody has looked at yet: the enclave has no access
  kSlot = 3,      // a slot's block, frame or stack
  kBoot = 4,      // boot information, configuration, arguments
  kRegular = 5,   // committed by the enclave
};

// State and rights of one page, in one byte. `busy`: a call to the machine about this page is under
// way; nothing else may be decided about the page until it is back.
class PageEntry {
 public:
  constexpr PageEntry() = default;  // free
  constexpr PageEntry(PageState state, Permissions permissions)
      : bits_(static_cast<uint8_t>(static_cast<uint32_t>(state) << kStateShift |
                                   static_cast<uint32_t>(permissions))) {}

  constexpr PageState state() const {
    return static_cast<PageState>((bits_ & ~kBusy) >> kStateShift);
  }
  constexpr Permissions permissions() const {
    return static_cast<Permissions>(bits_ & kPermissionMask);
  }
  constexpr bool is_busy() const { return (bits_ & kBusy) != 0; }

  constexpr PageEntry WithBusy(bool busy) const {
    return PageEntry(static_cast<uint8_t>(busy ? bits_ | kBusy : bits_ & ~kBusy));
  }

  friend constexpr bool operator==(PageEntry, PageEntry) = default;

 private:
  friend class OwnershipTable;

  static constexpr unsigned kPermissionMask = 7;
  static constexpr unsigned kStateShift = 3;
  static constexpr unsigned kBusy = 0x80;

  constexpr explicit PageEntry(uint8_t bits) : bits_(bits) {}

  uint8_t bits_ = 0;
};
static_assert(sizeof(PageEntry) == 1);

// Pages [first, first + count), by number from the start of the range.
struct PageRun {
  uint64_t first = 0;
  uint64_t count = 0;

  constexpr uint64_t end() const { return first + count; }
};

// The table of one enclave: three levels of table pages. A leaf has one byte for each of 4096
// pages; in the upper levels a whole block of 16 MiB or 8 GiB that is all alike is one entry, so
// that a commit of gigabytes writes a few words.
//
// Not locked: the enclave's lock protects it. Changing is in two steps: Prepare may fail and
// changes nothing that can be asked for; Set and SetBusy cannot fail. Page numbers are our own: one
// outside the range is our bug.
class OwnershipTable {
 public:
  // The largest range: 4 TiB.
  static constexpr uint64_t kMaxPageCount = uint64_t{1} << 30;
  // Table pages that one Prepare can need: at both edges of the run one table of each lower level.
  static constexpr uint32_t kMaxSpareCount = 4;

  constexpr explicit OwnershipTable(Machine& machine) : machine_(machine) {}
  OwnershipTable(const OwnershipTable&) = delete;
  OwnershipTable& operator=(const OwnershipTable&) = delete;
  // Requires: destroyed.
  ~OwnershipTable() { CHECK(root_ == nullptr && spares_ == nullptr); }

  // Makes a table of `page_count` free pages. Requires: there is none; page_count <= kMaxPageCount.
  //
  // Errors: kNoMemory  the machine has no table page.
  Result<void> Create(uint64_t page_count);
  // Gives all table pages back. Legal at any time.
  void Destroy();

  // Returns the entry of page `page`.
  PageEntry Get(uint64_t page) const;

  // Calls visit(PageRun, PageEntry) for runs of equal entries that together are `run`, in ascending
  // order, until it fails or all is visited. (Two neighbouring runs may be alike.) The table must
  // not change meanwhile.
  template <typename Visit>
  Result<void> ForEachRun(PageRun run, Visit&& visit) const {
    while (run.count != 0) {
      PageEntry entry;
      const uint64_t count = EqualFrom(run, &entry);
      TRY(visit(PageRun{run.first, count}, entry));
      run = {run.first + count, run.count - count};
    }
    return {};
  }

  // Returns how many spare table pages are missing for Prepare(run); 0: it cannot fail.
  uint32_t MissingSpares(PageRun run) const;
  // Takes over a fresh table page, for later Prepares.
  void AddSpare(std::byte* page);

  // Makes the tables that Set and SetBusy need for `run`. Errors: kNoMemory  not enough spares.
  Result<void> Prepare(PageRun run);
  // Give all of `run` the entry, or the busy mark, or take the mark away.
  //
  // Require: Prepare(run) has succeeded, and no Set since then covered a part of `run` together
  // with pages outside of it. (The busy mark sees to that: nobody sets pages that somebody else has
  // marked.)
  void Set(PageRun run, PageEntry entry);
  void SetBusy(PageRun run, bool busy);

 private:
  // An entry of the upper levels: 0 for a free block, odd for a block that is all alike, else the
  // address of a table page.
  using Word = uint64_t;

  static constexpr uint64_t kLeafBits = 12;
  static constexpr uint64_t kUpperBits = 9;
  static constexpr uint64_t kLeafCount = uint64_t{1} << kLeafBits;    // pages of a leaf
  static constexpr uint64_t kUpperCount = uint64_t{1} << kUpperBits;  // words of an upper table
  static constexpr uint64_t kMiddlePages = kLeafCount * kUpperCount;  // pages of a middle table

  static constexpr bool IsTable(Word word) { return word != 0 && (word & 1) == 0; }
  static constexpr PageEntry BlockEntry(Word word) {
    return PageEntry(static_cast<uint8_t>(word >> 1));
  }
  static constexpr Word BlockWord(PageEntry entry) {
    return entry.bits_ == 0 ? 0 : Word{entry.bits_} << 1 | 1;
  }
  static Word* Upper(Word word);    // Requires: IsTable
  static uint8_t* Leaf(Word word);  // Requires: IsTable

  // Tables that a boundary before a page needs and has not.
  struct Missing {
    bool middle = false;
    bool leaf = false;
  };

  Word* RootWord(uint64_t page) const;
  static Word* MiddleWord(Word root_word, uint64_t page);
  uint64_t EqualFrom(PageRun run, PageEntry* entry) const;
  PageRun Extended(PageRun run) const;
  Missing MissingAt(uint64_t page) const;
  void SplitAt(uint64_t page);
  void FreeBelow(Word word);
  void FreeLeaf(Word word);
  std::byte* TakeSpare();

  Machine& machine_;
  Word* root_ = nullptr;
  uint64_t page_count_ = 0;
  std::byte* spares_ = nullptr;  // linked through their first bytes
  uint32_t spare_count_ = 0;
};

}  // namespace nsgx::seh
