// SPDX-License-Identifier: Apache-2.0
// Timeouts and signal masks of the calls that wait for files. A deadline of 0 means: do not wait.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "libos/kernel/wait.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// Negative: for ever.
Deadline DeadlineOfMilliseconds(int32_t timeout);
// Null: for ever. EFAULT, EINVAL.
Result<Deadline, Errno> DeadlineOfTimespec(UserOut<LinuxTimespec> timeout);
Result<Deadline, Errno> DeadlineOfTimeval(UserOut<LinuxTimeval> timeout);

// Writes what is left until `deadline`, as Linux does whatever the outcome; a fault there is of no
// consequence.
void TellRest(UserOut<LinuxTimespec> timeout, Deadline deadline);
void TellRest(UserOut<LinuxTimeval> timeout, Deadline deadline);

// The signal mask for the time of the call; null: none. EINVAL: not a mask of this size.
Result<void, Errno> UseSignalMask(UserIn<uint64_t> mask, size_t size);

}  // namespace nsgx::libos
