// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/memory.h"
#include "vmpl-switch/emulator/monitor/rmp.h"

namespace nsgx::emu {

// Where QEMU's IOMMU has its registers (-device intel-iommu). Guests find plain
// memory there instead, zeros at first.
inline constexpr GuestPhys kIommuRegisters{0xfed90000};

// The tables by which an IOMMU (Intel VT-d, legacy mode) lets devices reach memory. One set for all
// devices: there is one guest.
struct alignas(kPageSize) DmaTables {
  static constexpr uint64_t kEntries = 512;

  uint64_t leaves[kRamSize / kPageSize];
  uint64_t directory[kEntries];  // 2 MiB an entry
  uint64_t top[kEntries];        // 1 GiB an entry
  uint64_t contexts[kEntries];   // two words a device, for every bus
  uint64_t buses[kEntries];      // two words a bus
};

// Lets devices reach shared pages and nothing else, as the RMP of a processor does for its IOMMU.
class DmaGuard final : public RmpObserver {
 public:
  explicit DmaGuard(const Rmp& rmp) : rmp_(rmp) {}

  // Builds the tables in `tables`, which are zero and stay for ever.
  void Initialize(DmaTables& tables);
  void PageChanged(Page page) override;

  // The root of the tables. Requires: Initialize.
  uint64_t root() const { return reinterpret_cast<uintptr_t>(tables_->buses); }

  // Whether a page has been taken from devices since this was last asked: what the IOMMU remembers
  // must then be forgotten before a guest relies on it.
  bool TakeStale() {
    const bool was_stale = is_stale_;
    is_stale_ = false;
    return was_stale;
  }

 private:
  const Rmp& rmp_;
  DmaTables* tables_ = nullptr;
  bool is_stale_ = false;
};

// Two who follow the RMP.
class RmpObservers final : public RmpObserver {
 public:
  RmpObservers(RmpObserver& first, RmpObserver& second) : first_(first), second_(second) {}
  void PageChanged(Page page) override {
    first_.PageChanged(page);
    second_.PageChanged(page);
  }

 private:
  RmpObserver& first_;
  RmpObserver& second_;
};

}  // namespace nsgx::emu
