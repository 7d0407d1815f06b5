// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vmpl-switch/emulator/monitor/memory.h"
#include "vmpl-switch/emulator/monitor/rmp.h"

namespace nsgx::emu {

// One way to see guest-physical memory: with the C-bit or without it.
enum class View : uint8_t { kShared, kPrivate };
inline constexpr unsigned kViews = 2;

inline constexpr uint64_t kLeafPresent = 1 << 0;
inline constexpr uint64_t kLeafWrite = 1 << 1;
inline constexpr uint64_t kLeafUser = 1 << 2;  // nested walks count as the user's
inline constexpr uint64_t kLeafDirty = 1 << 6;
inline constexpr uint64_t kLeafNoExecute = uint64_t{1} << 63;

// The memory that tables of one VMPL take. Page-aligned, each member.
struct alignas(kPageSize) VmplTables {
  static constexpr uint64_t kEntries = 512;
  static constexpr uint64_t kLeaves = kRamSize / kPageSize;

  struct alignas(kPageSize) ViewTables {
    uint64_t leaves[kLeaves];
    uint64_t directory[kEntries];  // the first GiB, 2 MiB an entry
    uint64_t pointers[kEntries];   // 512 GiB, 1 GiB an entry
  };
  ViewTables views[kViews];
  // Where devices have their registers, which not all are the guest's.
  uint64_t device_leaves[kEntries];     // 2 MiB
  uint64_t device_directory[kEntries];  // 1 GiB
  uint64_t no_registers[kEntries];      // what guests see of the IOMMU
  uint64_t root[kEntries];              // while the guest pages: C-bit and address choose the view
  uint64_t unpaged_root[kEntries];      // while it does not: every access is private
};

// Whoever can take every other processor off the tables. When it returns none of them runs a guest,
// and each flushes before it does so again, if `generation` says so.
class Revoker {
 public:
  virtual void StopOthers() = 0;

 protected:
  ~Revoker() = default;
};

// Nested page tables, one set a VMPL, that say what the RMP says and nothing else. Every change
// goes through PageChanged, which also counts in `generation` what must not be used any more from
// a processor's memory of translations.
class NestedTables final : public RmpObserver {
 public:
  explicit NestedTables(Rmp& rmp) : rmp_(rmp) {}

  // From now on `revoker` is asked before an entry that processors may have remembered changes.
  // Requires: it stays for ever.
  void SetRevoker(Revoker& revoker) { revoker_ = &revoker; }

  // Builds the tables of `vmpl` in `tables`, which are zero and stay for ever. `sees_devices`: with
  // what is no RAM: devices.
  void Initialize(unsigned vmpl, VmplTables& tables, bool sees_devices);
  // Brings all tables into line with the RMP.
  void PageChanged(Page page) override;
  void RefreshAll();

  // Processors have to forget all that they remember, on whichever tables they run.
  void FlushAll();

  // The table to run `vmpl` on, and what its translations depend on.
  uint64_t Root(unsigned vmpl, bool is_paging) const;
  uint64_t generation(unsigned vmpl) const { return sets_[vmpl].generation; }

  // Page-table walks and fetches are private whatever the C-bit says. Nested tables cannot know
  // what an access is for, so a page that one of them reached without C-bit is shown in the shared
  // view of this VMPL, too, until it changes.
  void AllowImplicitPrivate(unsigned vmpl, Page page);

  // ---- the paranoid build ----
  // True when the tables say exactly what the RMP says about `page`.
  bool Agrees(Page page) const;
  // Forgets what a view has about a page; the next access faults and brings it back.
  void Forget(unsigned vmpl, View view, Page page);

  // What a leaf grants.
  static PageAccess AccessOf(uint64_t leaf);
  uint64_t leaf(unsigned vmpl, View view, Page page) const {
    return sets_[vmpl].tables->views[static_cast<size_t>(view)].leaves[page];
  }

 private:
  struct Set {
    VmplTables* tables = nullptr;
    uint64_t generation = 1;
  };

  static uint64_t MakeLeaf(Page page, const PageAccess& access);
  PageAccess Wanted(unsigned vmpl, View view, Page page) const;
  void Update(Set& set, View view, Page page, const PageAccess& access);

  Rmp& rmp_;
  Revoker* revoker_ = nullptr;
  std::array<Set, kVmpls> sets_;
};

}  // namespace nsgx::emu
