// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {

// The folder at `path` (IsPlainPath), made with all above it where it is not there yet and lies in
// memory. ENOENT: it is not there, and elsewhere. ENOTDIR, ENOSPC.
Result<Ref<Inode>, Errno> FolderAt(std::string_view path);

}  // namespace nsgx::libos
