// SPDX-License-Identifier: Apache-2.0
// Sleeping on several futexes at once: futex_waitv.
#include <new>
#include <optional>

#include "libos/kernel/futex.h"
#include "libos/kernel/futex_table.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

// Too many for the kernel stack.
struct WaiterSet {
  FutexWaiter waiters[kMaxFutexChoices];
};

// Puts one waiter in. EAGAIN, EFAULT.
Result<void, Errno> Enter(FutexWaiter& waiter, const FutexChoice& choice) {
  FutexBucket& bucket = FutexBucketFor(choice.address);
  SpinLockGuard guard(bucket.lock);
  if (TRY(LoadUser32(choice.address)) != choice.expected) {
    return Error(Errno::kEAGAIN);
  }
  waiter.thread = &CurrentThread();
  waiter.address = choice.address;
  waiter.bitset = kFutexMatchAny;
  bucket.Add(waiter);
  return {};
}

// True: the wake-up came by this one. Others that wakers took out after that have no bucket.
bool LeaveAndTell(FutexWaiter& waiter) {
  return !WithdrawFutexWaiter(waiter) && waiter.bucket.load() != nullptr;
}

}  // namespace

Result<uint32_t, Errno> FutexWaitAny(std::span<const FutexChoice> choices, Deadline deadline) {
  WaiterSet* set = TRY(New<WaiterSet>());
  // From here on a waker finds the thread asleep, whatever it still does.
  BeginSleep(true);
  size_t entered = 0;
  std::optional<Errno> failure;
  while (entered < choices.size()) {
    auto result = Enter(set->waiters[entered], choices[entered]);
    if (!result.ok()) {
      failure = result.error();
      TryWake(CurrentThread(), WakeReason::kTimeout);
      break;
    }
    ++entered;
  }
  const WakeReason reason = Sleep(deadline);
  std::optional<uint32_t> woken;
  for (size_t i = 0; i < entered; ++i) {
    if (LeaveAndTell(set->waiters[i]) && !woken) {
      woken = static_cast<uint32_t>(i);
    }
  }
  Delete(set);
  if (woken) {
    return *woken;
  }
  if (failure) {
    return Error(*failure);
  }
  return Error(reason == WakeReason::kTimeout ? Errno::kETIMEDOUT : Errno::kEINTR);
}

}  // namespace nsgx::libos
