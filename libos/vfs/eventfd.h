// SPDX-License-Identifier: Apache-2.0
// eventfd: a counter to wait for.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

// An open file around a counter that starts at `initial`. `flags`: O_NONBLOCK. ENOMEM.
Result<Ref<File>, Errno> MakeEventFile(uint64_t initial, bool semaphore, uint32_t flags);

}  // namespace nsgx::libos
