// SPDX-License-Identifier: Apache-2.0
// epoll: a set of open files, and which of them have become ready.
#pragma once

#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/vfs/file.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// An open file that is a new, empty set. ENOMEM.
Result<Ref<File>, Errno> MakeEpoll();

// The next two require that `epoll` is a set.
//
// Adds, changes or removes the descriptor `fd`, which names `target`. EEXIST, ENOENT; EPERM: cannot
// be waited for; EINVAL: the set itself, or flags that do not go together; ELOOP: sets watch each
// other, or lie too deep; ENOMEM.
Result<void, Errno> ControlEpoll(File& epoll, int32_t operation, int32_t fd, Ref<File> target,
                                 const LinuxEpollEvent& event);

// Waits for files of the set; returns how many elements of `out` were filled, 0 at the deadline.
// EINTR.
Result<size_t, Errno> WaitEpoll(File& epoll, std::span<LinuxEpollEvent> out, Deadline deadline);

// `file` has been closed for good: no set watches it any more. Called by File.
void ForgetWatchedFile(File& file);

}  // namespace nsgx::libos
