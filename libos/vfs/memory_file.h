// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

// An open file that lies in no directory, as memfd_create makes it; `flags`: kMFD_*. A file system
// in memory implements it (fs/ramfs). ENOMEM.
Result<Ref<File>, Errno> MakeMemoryFile(std::string_view name, uint32_t flags);

}  // namespace nsgx::libos
