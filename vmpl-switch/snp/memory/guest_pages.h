// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/core/range.h"
#include "base/core/result.h"

namespace nsgx::snp {

// What a page of guest-physical memory is to the SEH.
//
//                       PVALIDATE                    REMAP_CA, CREATE_VCPU
//   kAbsent   kShared <-----------> kGuest <---------> kCallingArea, kVmsa
//                                   ^    ^
//                            DONATE |    | ADD_WINDOW
//                           RECLAIM v    v DESTROY
//                           kEnclavePool  kWindow
//
enum class PageState : uint8_t {
  kAbsent,       // no RAM that the memory map speaks of; never touched
  kOwn,          // the SEH's, its tables and its image; the guest has no right
  kGuest,        // private, validated; VMPL1 has all rights
  kFirmware,     // the same where PCs have ROM: a write may get lost, so nothing is done with it
  kShared,       // RAM that is not validated: the guest shares it with the host, or never used it
  kEnclavePool,  // donated to an enclave; the guest has no right
  kWindow,       // as kGuest, and mapped into an enclave: can't be given away
  kCallingArea,  // as kGuest, and the SEH writes to it: can't be given away
  kVmsa,         // state of one of the guest's processors; the guest has no right
};

constexpr bool GuestMayAccess(PageState state) {
  return state == PageState::kGuest || state == PageState::kWindow ||
         state == PageState::kCallingArea;
}

// The state of each page of guest-physical memory, one byte each. This table, not the host and not
// the guest, says what may be touched and what may be given away.
//
// A change is Begin (may be refused), then whatever the processor has to be told, then Finish or
// Abandon (cannot fail). Between, the page is busy: nobody else can begin, and it counts as
// nobody's. All methods may be called from several processors at once.
class GuestPages {
 public:
  constexpr GuestPages() = default;
  GuestPages(const GuestPages&) = delete;
  GuestPages& operator=(const GuestPages&) = delete;

  // Requires: `table` has a byte for each page of [0, table.size() pages), all zero, and is used by
  // nobody else.
  void Initialize(std::span<uint8_t> table) { table_ = table; }

  // Returns the end of what the table covers.
  GuestPhys end() const { return GuestPhys(table_.size() << kPageShift); }

  // Sets the state of many pages; only while the machine is put together.
  // Requires: the range is inside; nobody else uses the table.
  void SetInitial(const PageRange<GuestPhysTag>& pages, PageState state);

  // Returns the state of the page that holds `address`; kAbsent for a busy one or one outside.
  PageState StateOf(GuestPhys address) const;

  // Begins to change the page at `page` from `from` to something else.
  //
  // Errors: kInvalidArgument   the address is not one of a page: not aligned, or outside the table.
  //         kBusy              somebody is changing it.
  //         kPermissionDenied  it is not `from`.
  // Trust:  the address may be anybody's.
  Result<void> Begin(GuestPhys page, PageState from);

  // Requires: the caller has begun to change the page.
  void Finish(GuestPhys page, PageState to);
  // The page stays what it was.
  void Abandon(GuestPhys page);

  // Returns success if all of [start, start + size), within one page, is memory that the guest
  // itself may access.
  //
  // Errors: kInvalidArgument   no bytes, or it crosses the end of a page or of the table.
  //         kPermissionDenied  it is not the guest's.
  // Trust:  address and size may be anybody's.
  Result<void> CheckGuestBytes(GuestPhys start, uint64_t size) const;

  // Returns how many pages are in `state` now. Slow.
  uint64_t Count(PageState state) const;

 private:
  static constexpr uint8_t kBusyBit = 0x80;

  Result<size_t> IndexOf(GuestPhys page) const;

  std::span<uint8_t> table_;
};

}  // namespace nsgx::snp
