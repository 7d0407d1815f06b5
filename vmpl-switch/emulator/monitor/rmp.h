// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/monitor/memory.h"

namespace nsgx::emu {

// What the machine knows about a page of RAM. There is one guest, so "assigned" says whose it is:
// the guest's (private), or the host's and therefore everybody's (shared).
struct RmpEntry {
  bool is_assigned : 1 = false;
  bool is_validated : 1 = false;
  bool is_vmsa : 1 = false;
  bool is_large : 1 = false;     // part of a run of 2 MiB that was assigned as one
  bool is_running : 1 = false;   // a VMSA that a processor runs with
  bool was_written : 1 = false;  // since it was last scrubbed; not part of the architecture
  uint8_t lower_rights[kVmpls - 1] = {};  // SNP_RIGHT_* of VMPL1 and below; VMPL0 always has all
};
static_assert(sizeof(RmpEntry) == 4);

// What an access to a page may do.
struct PageAccess {
  bool can_read = false;
  bool can_write = false;
  bool can_execute = false;

  friend constexpr bool operator==(const PageAccess&, const PageAccess&) = default;
};

// Why an access is refused, in the order in which processors look.
enum class RmpFault : uint8_t {
  kNone,
  kNotRam,
  kNotAssigned,  // private access to a shared page
  kAssigned,     // shared access to a private page
  kNotValidated,
  kRights,  // of the VMPL
};

enum class AccessKind : uint8_t { kRead, kWrite, kExecute };

// Whoever keeps a copy of what follows from entries is told about every change.
class RmpObserver {
 public:
  // `page` has changed already.
  virtual void PageChanged(Page page) = 0;

 protected:
  ~RmpObserver() = default;
};

// The table of who may do what with each page of RAM: the only truth about ownership. Translations
// are caches of it.
class Rmp {
 public:
  // All pages start shared. Requires: entries.size() is the number of pages of `memory`.
  Rmp(const GuestMemory& memory, std::span<RmpEntry> entries)
      : memory_(memory), entries_(entries) {}

  void SetObserver(RmpObserver* observer) { observer_ = observer; }

  bool IsRam(Page page) const { return memory_.IsRam(page); }
  Page pages() const { return entries_.size(); }
  // Requires: IsRam(page).
  const RmpEntry& entry(Page page) const;
  uint8_t Rights(Page page, unsigned vmpl) const;

  // What `vmpl` may do with the page through the C-bit, and without it.
  PageAccess PrivateAccess(Page page, unsigned vmpl) const;
  PageAccess SharedAccess(Page page) const;
  // Returns the reason why such an access faults, or kNone. kExecute: in either ring.
  RmpFault Check(Page page, unsigned vmpl, bool is_private, AccessKind kind) const;

  // ---- what the host does: RMPUPDATE ----

  // Makes `count` pages private, not yet validated, only VMPL0's; or shared. Pages that are so
  // already stay as they are. `is_large`: as one piece of 2 MiB.
  //
  // Errors: kOutOfRange       not all RAM.
  //         kBusy             a page is a VMSA.
  //         kInvalidArgument  is_large, but not 2 MiB, aligned.
  Result<void> Assign(Page first, uint64_t count, bool is_large);
  Result<void> Share(Page first, uint64_t count);
  // Breaks the run of 2 MiB that `page` belongs to into small pages.
  void Smash(Page page);
  // A page that the firmware fills at launch: private, validated, VMPL0's.
  Result<void> AssignAtLaunch(Page page);

  // ---- what the guest does ----

  // Requires: assigned, and for `is_large` a whole run that is large.
  // Returns whether the state of any page changed.
  bool SetValidated(Page first, uint64_t count, bool validated);
  // Requires: assigned and validated; 0 < vmpl.
  void SetRights(Page page, unsigned vmpl, uint8_t rights, bool is_vmsa);
  // A processor starts to run with the VMSA in `page`, or stops.
  void SetRunning(Page page, bool is_running) { Mutable(page).is_running = is_running; }

  // ---- bookkeeping for scrubbing ----
  void MarkWritten(Page page);
  // Overwrites every private page that has been written, and returns how many they were.
  uint64_t ScrubPrivate();

 private:
  RmpEntry& Mutable(Page page);
  void Changed(Page page);
  void Scrub(Page page);
  Result<void> CheckRange(Page first, uint64_t count) const;

  const GuestMemory& memory_;
  std::span<RmpEntry> entries_;
  RmpObserver* observer_ = nullptr;
};

}  // namespace nsgx::emu
