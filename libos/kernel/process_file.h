// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

// The process as an open file, as pidfd_open makes it. It never becomes ready: nobody who could
// look outlives the process. `flags`: O_NONBLOCK. ENOMEM.
Result<Ref<File>, Errno> MakeProcessFile(uint32_t flags);
// EBADF: something else, or nothing.
Result<void, Errno> CheckIsProcessFile(int32_t fd);

}  // namespace nsgx::libos
