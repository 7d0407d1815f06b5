// SPDX-License-Identifier: Apache-2.0
#include "base/core/spinlock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace nsgx {
namespace {

constinit SpinLock constant_lock;

bool TakeFromOtherThread(SpinLock& lock) {
  bool taken = false;
  std::thread other([&] {
    if (lock.TryLock()) {
      taken = true;
      lock.Unlock();
    }
  });
  other.join();
  return taken;
}

TEST(SpinLock, TryLock) {
  // Written so that the thread-safety analysis can follow it.
  const bool taken = constant_lock.TryLock();
  ASSERT_TRUE(taken);
  if (taken) {
    EXPECT_TRUE(constant_lock.is_locked());
    EXPECT_FALSE(TakeFromOtherThread(constant_lock));
    constant_lock.Unlock();
  }
  EXPECT_FALSE(constant_lock.is_locked());
  EXPECT_TRUE(TakeFromOtherThread(constant_lock));
}

TEST(SpinLock, GuardGivesUpAtTheEndOfItsScope) {
  SpinLock lock;
  {
    SpinLockGuard guard(lock);
    EXPECT_TRUE(lock.is_locked());
  }
  EXPECT_FALSE(lock.is_locked());
}

TEST(SpinLock, ExcludesOtherThreads) {
  struct Counter {
    SpinLock lock;
    // Not atomic on purpose: without exclusion increments get lost.
    int value GUARDED_BY(lock) = 0;
  } counter;
  constexpr int kThreads = 4;
  constexpr int kRounds = 20000;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        SpinLockGuard guard(counter.lock);
        counter.value = counter.value + 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  SpinLockGuard guard(counter.lock);
  EXPECT_EQ(counter.value, kThreads * kRounds);
}

// The analysis would refuse this program.
void UnlockWhatNobodyHolds() NO_THREAD_SAFETY_ANALYSIS {
  SpinLock lock;
  lock.Unlock();
}

TEST(SpinLockDeathTest, UnlockWithoutLock) { EXPECT_DEATH(UnlockWhatNobodyHolds(), "is_locked"); }

}  // namespace
}  // namespace nsgx
