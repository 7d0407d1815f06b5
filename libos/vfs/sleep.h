// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

// The deadline of who is not to wait; told apart from one that is over.
inline constexpr Deadline kDoNotWait = 0;

// Sleeps on `queue` once, on behalf of a system call that goes on when it is woken. `lock` is given
// up in every case. EAGAIN: kDoNotWait. ETIMEDOUT: the deadline has come. EINTR: a signal came.
inline Result<void, Errno> SleepOnceUntil(WaitQueue& queue, SpinLock& lock, Deadline deadline)
    RELEASE(lock) {
  if (deadline == kDoNotWait) {
    lock.Unlock();
    return Error(Errno::kEAGAIN);
  }
  switch (Block(queue, lock, deadline, true)) {
    case WakeReason::kWoken:
      return {};
    case WakeReason::kTimeout:
      return Error(Errno::kETIMEDOUT);
    case WakeReason::kSignal:
      return Error(Errno::kEINTR);
  }
}

inline Result<void, Errno> SleepOnce(WaitQueue& queue, SpinLock& lock, bool may_wait)
    RELEASE(lock) {
  return SleepOnceUntil(queue, lock, may_wait ? kForever : kDoNotWait);
}

}  // namespace nsgx::libos
