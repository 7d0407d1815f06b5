// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/dma_guard.h"

namespace nsgx::emu {
namespace {

// Intel's document D51397, chapter 9.
constexpr uint64_t kPresent = 1 << 0;  // of a bus or a device
constexpr uint64_t kRead = 1 << 0;     // of a page
constexpr uint64_t kWrite = 1 << 1;
constexpr uint64_t kThreeLevels = 1;  // upper word of a device: 39 bits
constexpr uint64_t kDomain = uint64_t{1} << 8;

uint64_t AddressOf(const uint64_t* table) { return reinterpret_cast<uintptr_t>(table); }

}  // namespace

void DmaGuard::Initialize(DmaTables& tables) {
  tables_ = &tables;
  for (uint64_t i = 0; i < DmaTables::kEntries; ++i) {
    tables.directory[i] = AddressOf(&tables.leaves[i * DmaTables::kEntries]) | kRead | kWrite;
  }
  tables.top[0] = AddressOf(tables.directory) | kRead | kWrite;
  for (uint64_t i = 0; i < DmaTables::kEntries; i += 2) {
    tables.contexts[i] = AddressOf(tables.top) | kPresent;
    tables.contexts[i + 1] = kThreeLevels | kDomain;
    tables.buses[i] = AddressOf(tables.contexts) | kPresent;
  }
  for (Page page = 0; page < rmp_.pages(); ++page) {
    if (rmp_.IsRam(page)) {
      PageChanged(page);
    }
  }
}

void DmaGuard::PageChanged(Page page) {
  uint64_t& leaf = tables_->leaves[page];
  const uint64_t wanted =
      rmp_.SharedAccess(page).can_read ? page << kPageShift | kRead | kWrite : 0;
  is_stale_ = is_stale_ || (leaf != 0 && leaf != wanted);
  leaf = wanted;
}

}  // namespace nsgx::emu
