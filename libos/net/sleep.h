// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {

// Sleeps on `queue` once, on behalf of a socket call that looks again when it is woken. `lock` is
// given up in every case. EAGAIN: the deadline has come, or is kDoNotWait. EINTR: a signal came.
inline Result<void, Errno> SleepUntil(WaitQueue& queue, SpinLock& lock, Deadline deadline)
    RELEASE(lock) {
  auto slept = SleepOnceUntil(queue, lock, deadline);
  if (slept.ok()) {
    return {};
  }
  if (slept.error() == Errno::kEINTR && deadline != kForever) {
    ForbidRestart();
  }
  return Error(slept.error() == Errno::kETIMEDOUT ? Errno::kEAGAIN : slept.error());
}

}  // namespace nsgx::libos
