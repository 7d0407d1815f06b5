// SPDX-License-Identifier: Apache-2.0
// Who sleeps on which futex: the table that all kinds of futex calls share.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/thread.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

struct FutexBucket;

// What the waker does for a sleeper besides waking it.
enum class FutexWaiterKind : uint8_t {
  kPlain,    // nothing
  kLock,     // makes it the owner of the futex: FUTEX_LOCK_PI
  kRequeue,  // sleeps on a plain futex until it is moved to one of the above
};

// One sleeper, on its own kernel stack or in its own memory. `bucket` changes when it is moved;
// whoever holds the lock of the bucket that it is in may change the rest.
struct FutexWaiter : ListNode<> {
  Thread* thread = nullptr;
  uint64_t address = 0;
  uint32_t bitset = 0;
  FutexWaiterKind kind = FutexWaiterKind::kPlain;
  uint64_t lock_address = 0;  // kRequeue: the only futex that it may be moved to
  uint32_t owner = 0;         // kLock: whom it waits for, whatever the program writes into the word
  std::atomic<FutexBucket*> bucket{nullptr};
};

struct alignas(64) FutexBucket {
  SpinLock lock;
  IntrusiveList<FutexWaiter> waiters GUARDED_BY(lock);

  // The new waiter is the youngest. Requires: it is in no bucket.
  void Add(FutexWaiter& waiter) REQUIRES(lock) {
    waiter.bucket.store(this, std::memory_order_release);
    waiters.PushBack(waiter);
  }
};

inline constexpr uint32_t kFutexBuckets = 256;
FutexBucket& FutexBucketFor(uint64_t address);
FutexBucket& FutexBucketAt(uint32_t index);

constexpr bool IsFutexAligned(uint64_t address) { return (address & (sizeof(uint32_t) - 1)) == 0; }

// Ends the sleep of a waiter and takes it out. False: something else had ended the sleep before.
// Afterwards `waiter` is gone either way: its thread may have run already.
bool WakeFutexWaiter(FutexBucket& bucket, FutexWaiter& waiter) REQUIRES(bucket.lock);

// Wakes up to `count` sleepers of `address` that are kPlain, oldest first; returns how many.
uint32_t WakeFutexWaiters(FutexBucket& bucket, uint64_t address, uint32_t count, uint32_t bitset)
    REQUIRES(bucket.lock);

// Sleeps as `waiter`, complete but for its thread, while the word at its address is `expected`, and
// is in no bucket afterwards. Anything but kWoken: no waker has ended the sleep. EAGAIN: the word
// is another. EFAULT.
Result<WakeReason, Errno> SleepOnFutex(FutexWaiter& waiter, uint32_t expected, Deadline deadline);

// Takes the waiter out of whatever bucket it is in, after its sleep. False: a waker has taken it
// out.
bool WithdrawFutexWaiter(FutexWaiter& waiter);

// Locks one or two buckets, always in the same order.
class TwoFutexBuckets {
 public:
  TwoFutexBuckets(FutexBucket& a,
                  FutexBucket& b) NO_THREAD_SAFETY_ANALYSIS  // the order depends on the addresses
      : first_(&a < &b ? a : b),
        second_(&a < &b ? b : a) {
    first_.lock.Lock();
    if (&first_ != &second_) {
      second_.lock.Lock();
    }
  }
  ~TwoFutexBuckets() NO_THREAD_SAFETY_ANALYSIS {
    if (&first_ != &second_) {
      second_.lock.Unlock();
    }
    first_.lock.Unlock();
  }
  TwoFutexBuckets(const TwoFutexBuckets&) = delete;
  TwoFutexBuckets& operator=(const TwoFutexBuckets&) = delete;

 private:
  FutexBucket& first_;
  FutexBucket& second_;
};

}  // namespace nsgx::libos
