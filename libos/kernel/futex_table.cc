// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/futex_table.h"

#include "libos/kernel/cpu.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {
namespace {

[[clang::no_destroy]] constinit FutexBucket buckets[kFutexBuckets];

}  // namespace

FutexBucket& FutexBucketFor(uint64_t address) {
  return buckets[(address >> 2) * 0x9e3779b97f4a7c15u >> (64 - 8)];
}
static_assert(kFutexBuckets == 1 << 8);

FutexBucket& FutexBucketAt(uint32_t index) { return buckets[index]; }

bool WakeFutexWaiter(FutexBucket& bucket, FutexWaiter& waiter) {
  bucket.waiters.Erase(waiter);
  if (TryWake(*waiter.thread, WakeReason::kWoken)) {
    return true;
  }
  // Woken by something else before: it withdraws, and needs the lock for that.
  waiter.bucket.store(nullptr, std::memory_order_release);
  return false;
}

uint32_t WakeFutexWaiters(FutexBucket& bucket, uint64_t address, uint32_t count, uint32_t bitset) {
  uint32_t woken = 0;
  for (auto next = bucket.waiters.begin(); next != bucket.waiters.end() && woken < count;) {
    FutexWaiter& waiter = *next++;
    if (waiter.address == address && (waiter.bitset & bitset) != 0 &&
        waiter.kind == FutexWaiterKind::kPlain && WakeFutexWaiter(bucket, waiter)) {
      ++woken;
    }
  }
  return woken;
}

Result<WakeReason, Errno> SleepOnFutex(FutexWaiter& waiter, uint32_t expected, Deadline deadline) {
  waiter.thread = &CurrentThread();
  FutexBucket& bucket = FutexBucketFor(waiter.address);
  {
    SpinLockGuard guard(bucket.lock);
    if (TRY(LoadUser32(waiter.address)) != expected) {
      return Error(Errno::kEAGAIN);
    }
    bucket.Add(waiter);
    BeginSleep(true);
  }
  const WakeReason reason = Sleep(deadline);
  if (reason != WakeReason::kWoken) {
    WithdrawFutexWaiter(waiter);
  }
  return reason;
}

bool WithdrawFutexWaiter(FutexWaiter& waiter)
    NO_THREAD_SAFETY_ANALYSIS {  // the bucket may change until its lock is held
  while (true) {
    FutexBucket* bucket = waiter.bucket.load(std::memory_order_acquire);
    if (bucket == nullptr) {
      return false;
    }
    SpinLockGuard guard(bucket->lock);
    if (waiter.bucket.load(std::memory_order_relaxed) == bucket) {
      if (!waiter.is_linked()) {
        return false;
      }
      bucket->waiters.Erase(waiter);
      return true;
    }
  }
}

}  // namespace nsgx::libos
