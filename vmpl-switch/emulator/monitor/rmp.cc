// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/rmp.h"

#include "base/core/mem_raw.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kPagesPerLarge = kLargePageSize / kPageSize;
constexpr uint8_t kExecute = SNP_RIGHT_EXECUTE_USER | SNP_RIGHT_EXECUTE_SUPERVISOR;

}  // namespace

const RmpEntry& Rmp::entry(Page page) const {
  CHECK(IsRam(page));
  return entries_[page];
}

RmpEntry& Rmp::Mutable(Page page) {
  CHECK(IsRam(page));
  return entries_[page];
}

void Rmp::Changed(Page page) {
  if (observer_ != nullptr) {
    observer_->PageChanged(page);
  }
}

uint8_t Rmp::Rights(Page page, unsigned vmpl) const {
  CHECK(vmpl < kVmpls);
  return vmpl == 0 ? uint8_t{SNP_RIGHTS_ALL} : entry(page).lower_rights[vmpl - 1];
}

PageAccess Rmp::PrivateAccess(Page page, unsigned vmpl) const {
  const RmpEntry& item = entry(page);
  if (!item.is_assigned || !item.is_validated) {
    return {};
  }
  const uint8_t rights = Rights(page, vmpl);
  // Nested tables cannot express a page that can be written or run but not read.
  if ((rights & SNP_RIGHT_READ) == 0) {
    return {};
  }
  return {.can_read = true,
          .can_write = (rights & SNP_RIGHT_WRITE) != 0,
          .can_execute = (rights & kExecute) != 0};
}

PageAccess Rmp::SharedAccess(Page page) const {
  if (entry(page).is_assigned) {
    return {};
  }
  // Instructions come from private memory only.
  return {.can_read = true, .can_write = true, .can_execute = false};
}

RmpFault Rmp::Check(Page page, unsigned vmpl, bool is_private, AccessKind kind) const {
  if (!IsRam(page)) {
    return RmpFault::kNotRam;
  }
  const RmpEntry& item = entry(page);
  // A fetch is private whatever the C-bit says.
  if (!is_private && kind != AccessKind::kExecute) {
    return item.is_assigned ? RmpFault::kAssigned : RmpFault::kNone;
  }
  if (!item.is_assigned) {
    return RmpFault::kNotAssigned;
  }
  if (!item.is_validated) {
    return RmpFault::kNotValidated;
  }
  const PageAccess access = PrivateAccess(page, vmpl);
  const bool is_allowed = kind == AccessKind::kRead    ? access.can_read
                          : kind == AccessKind::kWrite ? access.can_write
                                                       : access.can_execute;
  return is_allowed ? RmpFault::kNone : RmpFault::kRights;
}

Result<void> Rmp::CheckRange(Page first, uint64_t count) const {
  if (count == 0 || first >= pages() || count > pages() - first) {
    return Error(Status::kOutOfRange);
  }
  for (Page page = first; page < first + count; ++page) {
    if (!IsRam(page)) {
      return Error(Status::kOutOfRange);
    }
    if (entries_[page].is_vmsa) {
      return Error(Status::kBusy);
    }
  }
  return {};
}

Result<void> Rmp::Assign(Page first, uint64_t count, bool is_large) {
  if (is_large && (count != kPagesPerLarge || first % kPagesPerLarge != 0)) {
    return Error(Status::kInvalidArgument);
  }
  TRY(CheckRange(first, count));
  // A run that is private in part keeps its small pages.
  bool makes_large = is_large;
  for (Page page = first; page < first + count; ++page) {
    makes_large = makes_large && !entries_[page].is_assigned;
  }
  for (Page page = first; page < first + count; ++page) {
    RmpEntry& item = entries_[page];
    if (!item.is_assigned) {
      item = {.is_assigned = true, .is_large = makes_large, .was_written = item.was_written};
      Changed(page);
    }
  }
  return {};
}

Result<void> Rmp::Share(Page first, uint64_t count) {
  TRY(CheckRange(first, count));
  for (Page page = first; page < first + count; ++page) {
    if (!entries_[page].is_assigned) {
      continue;
    }
    Smash(page);
    entries_[page] = {.was_written = entries_[page].was_written};
    Changed(page);
    // On a processor the host would find ciphertext.
    Scrub(page);
  }
  return {};
}

void Rmp::Smash(Page page) {
  if (!entry(page).is_large) {
    return;
  }
  const Page first = page - page % kPagesPerLarge;
  for (Page small = first; small < first + kPagesPerLarge; ++small) {
    Mutable(small).is_large = false;
  }
}

Result<void> Rmp::AssignAtLaunch(Page page) {
  TRY(CheckRange(page, 1));
  entries_[page] = {.is_assigned = true, .is_validated = true, .was_written = true};
  Changed(page);
  return {};
}

bool Rmp::SetValidated(Page first, uint64_t count, bool validated) {
  bool has_changed = false;
  for (Page page = first; page < first + count; ++page) {
    RmpEntry& item = Mutable(page);
    CHECK(item.is_assigned);
    if (item.is_validated == validated) {
      continue;
    }
    has_changed = true;
    item.is_validated = validated;
    for (uint8_t& rights : item.lower_rights) {
      rights = 0;
    }
    Changed(page);
  }
  return has_changed;
}

void Rmp::SetRights(Page page, unsigned vmpl, uint8_t rights, bool is_vmsa) {
  CHECK(vmpl != 0 && vmpl < kVmpls);
  RmpEntry& item = Mutable(page);
  CHECK(item.is_assigned && item.is_validated);
  item.lower_rights[vmpl - 1] = rights;
  item.is_vmsa = is_vmsa;
  Changed(page);
}

void Rmp::MarkWritten(Page page) { Mutable(page).was_written = true; }

void Rmp::Scrub(Page page) {
  RmpEntry& item = Mutable(page);
  if (item.was_written) {
    FillOnce(memory_.At(page), std::byte{0}, kPageSize);
    item.was_written = false;
  }
}

uint64_t Rmp::ScrubPrivate() {
  uint64_t count = 0;
  for (Page page = 0; page < pages(); ++page) {
    if (IsRam(page) && entries_[page].is_assigned) {
      Changed(page);  // brings was_written up to date
      count += entries_[page].was_written ? 1 : 0;
      Scrub(page);
    }
  }
  return count;
}

}  // namespace nsgx::emu
