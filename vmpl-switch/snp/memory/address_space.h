// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/page_allocator.h"

namespace nsgx::snp {

// What a mapping allows. Supervisor pages are for the SEH alone.
struct MapRights {
  bool write = false;
  bool execute = false;
  bool user = false;
  bool shared = false;  // C=0: memory that the host sees; for the SEH's GHCB and buffers only
};

// A tree of four-level page tables for VMPL0. The upper half (PML4 entries 256 to 511) is the
// SEH's; every enclave's address space has the same one, but for the entry kEnclaveSlot, which is
// its own.
//
// Not locked: one user at a time. A translation that is taken away may live on in processors until
// they reload CR3 or are told (InvalidatePage, RMP's FlushTranslations).
class AddressSpace {
 public:
  static constexpr unsigned kEnclaveSlot = 510;  // of the PML4: for an alias of the enclave's range

  constexpr AddressSpace() = default;

  // Makes an empty tree; with `kernel`, one that shares its upper half.
  //
  // Requires: memory and supply live longer; `encryption_bit` is the mask of the C-bit.
  // Errors:   kNoMemory
  static Result<AddressSpace> Make(const DirectMap& memory, PageSupply& supply,
                                   uint64_t encryption_bit, const AddressSpace* kernel);

  // Value for CR3.
  uint64_t cr3() const { return root_.raw() | encryption_bit_; }

  // Maps one page of 4 KiB. Table pages that are made stay until Destroy.
  //
  // Requires: both addresses are aligned.
  // Errors:   kAlreadyExists  there is something.
  //           kNoMemory       no page for a table; nothing is mapped.
  Result<void> Map(uint64_t address, GuestPhys page, MapRights rights);
  // The same for 2 MiB.
  Result<void> MapLarge(uint64_t address, GuestPhys page, MapRights rights);

  // Makes the tables on the way to `address`, so that address spaces made from here on share them.
  // Errors: kNoMemory.
  Result<void> ReserveTables(uint64_t address);

  // Gives a mapped page of 4 KiB other rights. Errors: kNotFound.
  Result<void> Protect(uint64_t address, MapRights rights);
  // Takes a page of 4 KiB out and returns which it was. Errors: kNotFound.
  Result<GuestPhys> Unmap(uint64_t address);

  // Makes the entry kEnclaveSlot a second view of all that lies in the same 512 GiB as `address`,
  // now and later: for the SEH alone whatever a page's rights say, and never executable. So the SEH
  // reads what ring 3 may not, but writes only where ring 3 may.
  //
  // Requires: called once; there is a kernel whose upper half is shared.
  // Errors:   kNoMemory
  Result<void> MakeAlias(uint64_t address);

  // Takes out every page of 4 KiB in the same 512 GiB as `address` and tells `taken` of each.
  using Taken = void (*)(void* context, GuestPhys page);
  void UnmapAll(uint64_t address, Taken taken, void* context);

  // Returns what `address` is mapped to. Errors: kNotFound.
  Result<GuestPhys> Translate(uint64_t address) const;

  // Gives all tables back but those shared with the kernel's. What was mapped is the caller's care.
  // Requires: no processor has this in its CR3.
  void Destroy();

 private:
  Result<uint64_t*> EntryFor(uint64_t address, unsigned level, bool make, bool user);
  uint64_t LeafOf(GuestPhys page, MapRights rights) const;
  uint64_t* TableAt(uint64_t entry) const;
  void UnmapTable(uint64_t entry, unsigned level, Taken taken, void* context);
  void DestroyTable(GuestPhys table, unsigned level);

  const DirectMap* memory_ = nullptr;
  PageSupply* supply_ = nullptr;
  uint64_t encryption_bit_ = 0;
  GuestPhys root_;
  bool shares_kernel_ = false;
  bool has_alias_ = false;
};

}  // namespace nsgx::snp
