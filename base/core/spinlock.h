// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/check.h"
#include "base/core/thread_annotations.h"

namespace nsgx {

// A lock for sections of a few hundred instructions that neither block nor leave the world.
//
// Not recursive, not fair. Spins on a plain read, so that waiters do not fight for the cache line.
// Whoever may be interrupted by something that wants the same lock turns that off first.
class CAPABILITY("spinlock") SpinLock {
 public:
  constexpr SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void Lock() ACQUIRE() {
    while (!TakeIfFree()) {
      do {
        __builtin_ia32_pause();
      } while (is_locked());
    }
  }

  // Takes the lock and returns true, or returns false because somebody has it.
  [[nodiscard]] bool TryLock() TRY_ACQUIRE(true) { return TakeIfFree(); }

  // Requires: the caller holds the lock.
  void Unlock() RELEASE() {
    CHECK(is_locked());
    __atomic_store_n(&state_, kFree, __ATOMIC_RELEASE);
  }

  // Returns whether anybody holds the lock now. Proves nothing but that the caller, if it says it
  // holds the lock, may be telling the truth: for assertions.
  bool is_locked() const { return __atomic_load_n(&state_, __ATOMIC_RELAXED) != kFree; }

 private:
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kTaken = 1;

  bool TakeIfFree() { return __atomic_exchange_n(&state_, kTaken, __ATOMIC_ACQUIRE) == kFree; }

  uint32_t state_ = kFree;
};

// Holds a SpinLock for a scope.
class SCOPED_CAPABILITY SpinLockGuard {
 public:
  explicit SpinLockGuard(SpinLock& lock) ACQUIRE(lock) : lock_(lock) { lock_.Lock(); }
  ~SpinLockGuard() RELEASE() { lock_.Unlock(); }
  SpinLockGuard(const SpinLockGuard&) = delete;
  SpinLockGuard& operator=(const SpinLockGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace nsgx
