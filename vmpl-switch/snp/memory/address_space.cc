// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/memory/address_space.h"

#include "base/core/check.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kPresent = 1 << 0;
constexpr uint64_t kWritable = 1 << 1;
constexpr uint64_t kUser = 1 << 2;
constexpr uint64_t kAccessed = 1 << 5;
constexpr uint64_t kDirty = 1 << 6;
constexpr uint64_t kLarge = 1 << 7;
constexpr uint64_t kNoExecute = uint64_t{1} << 63;

constexpr unsigned kEntries = 512;
constexpr unsigned kKernelFirst = 256;
constexpr unsigned kTop = 3;  // levels count down: 3 is the PML4, 0 the table of 4 KiB pages

// Address bits of an entry, with the C-bit possibly among them.
constexpr uint64_t kAddressMask = 0x000ffffffffff000ull;

unsigned IndexAt(uint64_t address, unsigned level) {
  return static_cast<unsigned>(address >> (kPageShift + uint64_t{9} * level)) % kEntries;
}

}  // namespace

Result<AddressSpace> AddressSpace::Make(const DirectMap& memory, PageSupply& supply,
                                        uint64_t encryption_bit, const AddressSpace* kernel) {
  AddressSpace space;
  space.memory_ = &memory;
  space.supply_ = &supply;
  space.encryption_bit_ = encryption_bit;
  space.root_ = TRY(supply.AllocatePage());
  if (kernel != nullptr) {
    space.shares_kernel_ = true;
    uint64_t* to = memory.ObjectAt<uint64_t>(space.root_);
    const uint64_t* from = memory.ObjectAt<uint64_t>(kernel->root_);
    for (unsigned i = kKernelFirst; i < kEntries; ++i) {
      to[i] = i == kEnclaveSlot ? 0 : from[i];
    }
  }
  return space;
}

uint64_t* AddressSpace::TableAt(uint64_t entry) const {
  return memory_->ObjectAt<uint64_t>(GuestPhys(entry & kAddressMask & ~encryption_bit_));
}

// Returns the entry that decides about `address` at `level`. `make` adds the tables on the way.
Result<uint64_t*> AddressSpace::EntryFor(uint64_t address, unsigned level, bool make, bool user) {
  uint64_t* table = memory_->ObjectAt<uint64_t>(root_);
  for (unsigned at = kTop; at > level; --at) {
    const unsigned index = IndexAt(address, at);
    // What all address spaces share is the kernel's to change.
    CHECK(at != kTop || !shares_kernel_ || index < kKernelFirst || index == kEnclaveSlot);
    uint64_t& entry = table[index];
    if ((entry & kPresent) == 0) {
      if (!make) {
        return Error(Status::kNotFound);
      }
      const GuestPhys page = TRY(supply_->AllocatePage());
      // The leaf alone decides what may be done; only ring 3 is let in by halves of the space.
      entry = page.raw() | encryption_bit_ | kPresent | kWritable | kAccessed | (user ? kUser : 0);
    } else if ((entry & kLarge) != 0) {
      return Error(make ? Status::kAlreadyExists : Status::kNotFound);
    }
    if (user) {
      entry |= kUser;
    }
    table = TableAt(entry);
  }
  return &table[IndexAt(address, level)];
}

uint64_t AddressSpace::LeafOf(GuestPhys page, MapRights rights) const {
  CHECK(!(rights.write && rights.execute));
  return page.raw() | kPresent | kAccessed | kDirty | (rights.shared ? 0 : encryption_bit_) |
         (rights.write ? kWritable : 0) | (rights.user ? kUser : 0) |
         (rights.execute ? 0 : kNoExecute);
}

Result<void> AddressSpace::Map(uint64_t address, GuestPhys page, MapRights rights) {
  CHECK((address & kPageMask) == 0 && page.is_page_aligned());
  uint64_t* entry = TRY(EntryFor(address, 0, true, rights.user));
  if (*entry != 0) {
    return Error(Status::kAlreadyExists);
  }
  *entry = LeafOf(page, rights);
  return {};
}

Result<void> AddressSpace::MapLarge(uint64_t address, GuestPhys page, MapRights rights) {
  CHECK(IsAligned(address, kLargePageSize) && IsAligned(page, kLargePageSize));
  uint64_t* entry = TRY(EntryFor(address, 1, true, rights.user));
  if (*entry != 0) {
    return Error(Status::kAlreadyExists);
  }
  *entry = LeafOf(page, rights) | kLarge;
  return {};
}

Result<void> AddressSpace::ReserveTables(uint64_t address) {
  TRY(EntryFor(address, 0, true, false));
  return {};
}

Result<void> AddressSpace::Protect(uint64_t address, MapRights rights) {
  uint64_t* entry = TRY(EntryFor(address, 0, false, rights.user));
  if ((*entry & kPresent) == 0) {
    return Error(Status::kNotFound);
  }
  *entry = LeafOf(GuestPhys(*entry & kAddressMask & ~encryption_bit_), rights);
  return {};
}

Result<GuestPhys> AddressSpace::Unmap(uint64_t address) {
  uint64_t* entry = TRY(EntryFor(address, 0, false, false));
  if ((*entry & kPresent) == 0) {
    return Error(Status::kNotFound);
  }
  const GuestPhys page(*entry & kAddressMask & ~encryption_bit_);
  *entry = 0;
  return page;
}

Result<GuestPhys> AddressSpace::Translate(uint64_t address) const {
  const uint64_t* table = memory_->ObjectAt<uint64_t>(root_);
  for (unsigned level = kTop;; --level) {
    const uint64_t entry = table[IndexAt(address, level)];
    if ((entry & kPresent) == 0) {
      return Error(Status::kNotFound);
    }
    if (level == 0 || (entry & kLarge) != 0) {
      const uint64_t offset_mask = (uint64_t{1} << (kPageShift + uint64_t{9} * level)) - 1;
      return GuestPhys((entry & kAddressMask & ~encryption_bit_ & ~offset_mask) |
                       (address & offset_mask));
    }
    table = TableAt(entry);
  }
}

Result<void> AddressSpace::MakeAlias(uint64_t address) {
  CHECK(shares_kernel_ && !has_alias_);
  TRY(EntryFor(address, kTop - 1, true, true));
  uint64_t* top = memory_->ObjectAt<uint64_t>(root_);
  top[kEnclaveSlot] = (top[IndexAt(address, kTop)] & ~kUser) | kNoExecute;
  has_alias_ = true;
  return {};
}

void AddressSpace::UnmapTable(uint64_t entry, unsigned level, Taken taken, void* context) {
  uint64_t* table = TableAt(entry);
  for (unsigned i = 0; i < kEntries; ++i) {
    if ((table[i] & kPresent) == 0) {
      continue;
    }
    CHECK((table[i] & kLarge) == 0 || level == 0);
    if (level != 0) {
      UnmapTable(table[i], level - 1, taken, context);
      continue;
    }
    const GuestPhys page(table[i] & kAddressMask & ~encryption_bit_);
    table[i] = 0;
    taken(context, page);
  }
}

void AddressSpace::UnmapAll(uint64_t address, Taken taken, void* context) {
  const uint64_t entry = memory_->ObjectAt<uint64_t>(root_)[IndexAt(address, kTop)];
  if ((entry & kPresent) != 0) {
    UnmapTable(entry, kTop - 1, taken, context);
  }
}

void AddressSpace::DestroyTable(GuestPhys table, unsigned level) {
  if (level != 0) {
    const uint64_t* entries = memory_->ObjectAt<uint64_t>(table);
    for (unsigned i = 0; i < kEntries; ++i) {
      const bool is_kernel = level == kTop && i >= kKernelFirst && i != kEnclaveSlot;
      const bool is_shared =
          (is_kernel && shares_kernel_) || (level == kTop && i == kEnclaveSlot && has_alias_);
      if ((entries[i] & kPresent) != 0 && (entries[i] & kLarge) == 0 && !is_shared) {
        DestroyTable(GuestPhys(entries[i] & kAddressMask & ~encryption_bit_), level - 1);
      }
    }
  }
  supply_->FreePage(table);
}

void AddressSpace::Destroy() {
  DestroyTable(root_, kTop);
  root_ = GuestPhys();
}

}  // namespace nsgx::snp
