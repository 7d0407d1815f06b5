// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/nested_tables.h"

#include "vmpl-switch/emulator/monitor/dma_guard.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kTable = kLeafPresent | kLeafWrite | kLeafUser;
constexpr uint64_t kLargeLeaf = kTable | 1 << 7;
constexpr uint64_t kGigabyte = uint64_t{1} << 30;
constexpr uint64_t kRootShift = 39;

// Tables lie in memory that is mapped at its own address.
uint64_t TableEntry(const uint64_t* table) { return reinterpret_cast<uintptr_t>(table) | kTable; }

}  // namespace

void NestedTables::Initialize(unsigned vmpl, VmplTables& tables, bool sees_devices) {
  Set& set = sets_[vmpl];
  set.tables = &tables;
  for (VmplTables::ViewTables& view : tables.views) {
    for (uint64_t i = 0; i < VmplTables::kEntries; ++i) {
      view.directory[i] = TableEntry(&view.leaves[i * VmplTables::kEntries]);
    }
    view.pointers[0] = TableEntry(view.directory);
  }
  VmplTables::ViewTables& shared = tables.views[static_cast<size_t>(View::kShared)];
  VmplTables::ViewTables& own = tables.views[static_cast<size_t>(View::kPrivate)];
  if (sees_devices) {
    for (uint64_t i = 1; i < VmplTables::kEntries; ++i) {
      shared.pointers[i] = i * kGigabyte | kLargeLeaf;
    }
    // The IOMMU is the monitor's. Firmware's tables name it, and Linux passes over one whose
    // registers say that it can do nothing.
    const Page registers = PageOf(kIommuRegisters);
    const uint64_t gigabyte = kIommuRegisters.raw() / kGigabyte;
    const uint64_t large = kIommuRegisters.raw() / kLargePageSize;
    for (uint64_t i = 0; i < VmplTables::kEntries; ++i) {
      const Page page = large * VmplTables::kEntries + i;
      tables.device_leaves[i] = page == registers ? TableEntry(tables.no_registers) | kLeafNoExecute
                                                  : page << kPageShift | kTable;
      tables.device_directory[i] = gigabyte * kGigabyte | i * kLargePageSize | kLargeLeaf;
    }
    tables.device_directory[large % VmplTables::kEntries] = TableEntry(tables.device_leaves);
    shared.pointers[gigabyte] = TableEntry(tables.device_directory);
    for (Page page = PageOf(kHoleBegin); page < PageOf(kHoleEnd); ++page) {
      shared.leaves[page] = page << kPageShift | kTable | kLeafNoExecute;
    }
  }
  tables.root[0] = TableEntry(shared.pointers);
  tables.root[kEncryptionBit >> kRootShift] = TableEntry(own.pointers);
  tables.unpaged_root[0] = TableEntry(own.pointers);
}

uint64_t NestedTables::MakeLeaf(Page page, const PageAccess& access) {
  if (!access.can_read) {
    return 0;
  }
  return page << kPageShift | kLeafPresent | kLeafUser | (access.can_write ? kLeafWrite : 0) |
         (access.can_execute ? 0 : kLeafNoExecute);
}

PageAccess NestedTables::AccessOf(uint64_t leaf) {
  if ((leaf & kLeafPresent) == 0) {
    return {};
  }
  return {.can_read = true,
          .can_write = (leaf & kLeafWrite) != 0,
          .can_execute = (leaf & kLeafNoExecute) == 0};
}

PageAccess NestedTables::Wanted(unsigned vmpl, View view, Page page) const {
  return view == View::kPrivate ? rmp_.PrivateAccess(page, vmpl) : rmp_.SharedAccess(page);
}

void NestedTables::Update(Set& set, View view, Page page, const PageAccess& access) {
  uint64_t& leaf = set.tables->views[static_cast<size_t>(view)].leaves[page];
  const PageAccess before = AccessOf(leaf);
  if (before != access && before.can_read && revoker_ != nullptr) {
    // Others may be using it, and the processor writes to it as well.
    revoker_->StopOthers();
  }
  if ((leaf & kLeafDirty) != 0) {
    // The bit stays: the processor sets it again only if it forgets that it was set.
    rmp_.MarkWritten(page);
  }
  if (before == access) {
    return;
  }
  const bool loses = (before.can_read && !access.can_read) ||
                     (before.can_write && !access.can_write) ||
                     (before.can_execute && !access.can_execute);
  __atomic_store_n(&leaf, MakeLeaf(page, access), __ATOMIC_RELEASE);
  if (loses) {
    ++set.generation;
  }
}

void NestedTables::PageChanged(Page page) {
  for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
    if (sets_[vmpl].tables == nullptr) {
      continue;
    }
    for (View view : {View::kShared, View::kPrivate}) {
      Update(sets_[vmpl], view, page, Wanted(vmpl, view, page));
    }
  }
}

void NestedTables::RefreshAll() {
  for (Page page = 0; page < rmp_.pages(); ++page) {
    if (rmp_.IsRam(page)) {
      PageChanged(page);
    }
  }
}

void NestedTables::FlushAll() {
  if (revoker_ != nullptr) {
    revoker_->StopOthers();
  }
  for (Set& set : sets_) {
    ++set.generation;
  }
}

uint64_t NestedTables::Root(unsigned vmpl, bool is_paging) const {
  const VmplTables& tables = *sets_[vmpl].tables;
  return reinterpret_cast<uintptr_t>(is_paging ? tables.root : tables.unpaged_root);
}

void NestedTables::AllowImplicitPrivate(unsigned vmpl, Page page) {
  Update(sets_[vmpl], View::kShared, page, rmp_.PrivateAccess(page, vmpl));
}

bool NestedTables::Agrees(Page page) const {
  if (!rmp_.IsRam(page)) {
    return true;
  }
  for (unsigned vmpl = 0; vmpl < kVmpls; ++vmpl) {
    if (sets_[vmpl].tables == nullptr) {
      continue;
    }
    for (View view : {View::kShared, View::kPrivate}) {
      const uint64_t item = leaf(vmpl, view, page);
      const PageAccess access = AccessOf(item);
      const bool is_implicit = view == View::kShared && access == rmp_.PrivateAccess(page, vmpl);
      if (access.can_read && access != Wanted(vmpl, view, page) && !is_implicit) {
        return false;
      }
      if (access.can_read && (item & 0x000ffffffffff000) != page << kPageShift) {
        return false;
      }
    }
  }
  return true;
}

void NestedTables::Forget(unsigned vmpl, View view, Page page) {
  Update(sets_[vmpl], view, page, {});
}

}  // namespace nsgx::emu
