// SPDX-License-Identifier: Apache-2.0
// Who may do what: the classic rights of owner, group and others, and root.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {

// `wanted`: kR_OK, kW_OK, kX_OK. EACCES; EROFS: writing to what lies on a read-only file system and
// is stored there.
Result<void, Errno> CheckAccess(const Inode& inode, uint32_t wanted, const Credentials& who);

// A name in `directory` may come or go. ENOTDIR, EACCES, EROFS.
Result<void, Errno> CheckMayChange(const Inode& directory, const Credentials& who);
// As CheckMayChange, for a name that exists and stands for `victim`: in a sticky directory only its
// owner, or the directory's. EPERM.
Result<void, Errno> CheckMayRemove(const Inode& directory, const Inode& victim,
                                   const Credentials& who);

// chmod, utimes to a given time. EPERM, EROFS.
Result<void, Errno> CheckIsOwner(const Inode& inode, const Credentials& who);

}  // namespace nsgx::libos
