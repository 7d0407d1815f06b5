// SPDX-License-Identifier: Apache-2.0
// What may become of a page: the rules that no caller can bend.
//
//   state       commit   protect                 trim     the SEH writes for the enclave
//   free        yes      -                       -        -
//   image       -        to fewer rights only    denied   if kReadWrite
//   deferred    -        once it is checked      denied   once it is checked, if kReadWrite
//   slot, boot  -        denied                  denied   if kReadWrite
//   regular     -        any legal rights        yes      if kReadWrite
//
// No legal rights are both writable and executable, so no page ever is.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "vmpl-switch/seh/machine.h"
#include "vmpl-switch/seh/ownership_table.h"

namespace nsgx::seh {

// Returns whether rights `given` include all of `needed`.
constexpr bool Allows(Permissions given, Permissions needed) {
  return (static_cast<uint32_t>(needed) & ~static_cast<uint32_t>(given)) == 0;
}

// Errors: kInvalidArgument  `bits` (NSGX_PERMISSION_*) are not none, R, RW or RX.
constexpr Result<Permissions> ParsePermissions(uint64_t bits) {
  switch (bits) {
    case static_cast<uint64_t>(Permissions::kNone):
    case static_cast<uint64_t>(Permissions::kRead):
    case static_cast<uint64_t>(Permissions::kReadWrite):
    case static_cast<uint64_t>(Permissions::kReadExecute):
      return static_cast<Permissions>(bits);
    default:
      return Error(Status::kInvalidArgument);
  }
}

constexpr Result<void> MayCommit(PageEntry entry, Permissions) {
  if (entry.state() != PageState::kFree) {
    return Error(Status::kAlreadyExists);
  }
  return {};
}

constexpr Result<void> MayProtect(PageEntry entry, Permissions wanted) {
  switch (entry.state()) {
    case PageState::kFree:
      return Error(Status::kNotFound);
    case PageState::kImage:
      if (!Allows(entry.permissions(), wanted)) {
        return Error(Status::kPermissionDenied);
      }
      return {};
    case PageState::kDeferred:
      return Error(Status::kBusy);
    case PageState::kSlot:
    case PageState::kBoot:
      return Error(Status::kPermissionDenied);
    case PageState::kRegular:
      return {};
  }
  return Error(Status::kInternal);
}

constexpr Result<void> MayTrim(PageEntry entry, Permissions) {
  if (entry.state() == PageState::kFree) {
    return Error(Status::kNotFound);
  }
  if (entry.state() != PageState::kRegular) {
    return Error(Status::kPermissionDenied);
  }
  return {};
}

// For the SEH's own changes while it loads: there is nothing it must not do with its own pages.
constexpr Result<void> IsOurs(PageEntry entry, Permissions) {
  if (entry.state() != PageState::kSlot && entry.state() != PageState::kBoot) {
    return Error(Status::kInternal);
  }
  return {};
}

}  // namespace nsgx::seh
