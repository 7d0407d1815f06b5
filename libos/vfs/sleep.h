// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

// Sleeps on `queue` once, on behalf of a system call that goes on when it is woken. `lock` is given
// up in every case. EAGAIN: it is not to wait. EINTR: a signal came.
inline Result<void, Errno> SleepOnce(WaitQueue& queue, SpinLock& lock, bool may_wait)
    RELEASE(lock) {
  if (!may_wait) {
    lock.Unlock();
    return Error(Errno::kEAGAIN);
  }
  if (Block(queue, lock, kForever, true) == WakeReason::kSignal) {
    return Error(Errno::kEINTR);
  }
  return {};
}

}  // namespace nsgx::libos
