// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/vfs/kernel_services.h"

namespace nsgx::libos {

// Sleeps on `queue` once, on behalf of a socket call that looks again when it is woken. `lock` is
// given up in every case. EAGAIN: the deadline has come, or is 0. EINTR: a signal came.
inline Result<void, Errno> SleepUntil(WaitQueue& queue, SpinLock& lock, Deadline deadline)
    RELEASE(lock) {
  if (deadline == 0) {
    lock.Unlock();
    return Error(Errno::kEAGAIN);
  }
  switch (Block(queue, lock, deadline, true)) {
    case WakeReason::kSignal:
      if (deadline != kForever) {
        ForbidRestart();
      }
      return Error(Errno::kEINTR);
    case WakeReason::kTimeout:
      return Error(Errno::kEAGAIN);
    case WakeReason::kWoken:
      return {};
  }
}

}  // namespace nsgx::libos
