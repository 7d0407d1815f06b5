// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/access.h"

#include "libos/vfs/file_system.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kAnyExecute = 0111;

// What a device or a FIFO is written to lies elsewhere.
bool IsStoredThere(const Inode& inode) {
  return inode.is_regular() || inode.is_directory() || inode.is_symlink();
}

}  // namespace

Result<void, Errno> CheckAccess(const Inode& inode, uint32_t wanted, const Credentials& who) {
  if ((wanted & kW_OK) != 0 && inode.file_system().is_read_only() && IsStoredThere(inode)) {
    return Error(Errno::kEROFS);
  }
  const uint32_t mode = inode.mode();
  if (who.is_root()) {
    // Root may not run what nobody may run.
    if ((wanted & kX_OK) != 0 && !inode.is_directory() && (mode & kAnyExecute) == 0) {
      return Error(Errno::kEACCES);
    }
    return {};
  }
  uint32_t rights = mode & 7;
  if (who.user == inode.user()) {
    rights = mode >> 6 & 7;
  } else if (who.InGroup(inode.group())) {
    rights = mode >> 3 & 7;
  }
  if ((wanted & ~rights) != 0) {
    return Error(Errno::kEACCES);
  }
  return {};
}

Result<void, Errno> CheckMayChange(const Inode& directory, const Credentials& who) {
  if (!directory.is_directory()) {
    return Error(Errno::kENOTDIR);
  }
  return CheckAccess(directory, kW_OK | kX_OK, who);
}

Result<void, Errno> CheckMayRemove(const Inode& directory, const Inode& victim,
                                   const Credentials& who) {
  TRY(CheckMayChange(directory, who));
  if ((directory.mode() & kS_ISVTX) != 0 && !who.is_root() && who.user != victim.user() &&
      who.user != directory.user()) {
    return Error(Errno::kEPERM);
  }
  return {};
}

Result<void, Errno> CheckIsOwner(const Inode& inode, const Credentials& who) {
  if (inode.file_system().is_read_only()) {
    return Error(Errno::kEROFS);
  }
  if (!who.is_root() && who.user != inode.user()) {
    return Error(Errno::kEPERM);
  }
  return {};
}

}  // namespace nsgx::libos
