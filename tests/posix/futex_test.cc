// SPDX-License-Identifier: Apache-2.0
// Futexes below and beside the C library's locks: locks with owners, sleeping on several, moving
// sleepers, and what happens when an owner dies.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

// Of futex(2).
enum : int {
  kWait = 0,
  kWake = 1,
  kCmpRequeue = 4,
  kLockPi = 6,
  kUnlockPi = 7,
  kTryLockPi = 8,
  kWaitBitset = 9,
  kWaitRequeuePi = 11,
  kCmpRequeuePi = 12,
  kLockPi2 = 13,
  kPrivate = 128,
};
constexpr uint32_t kWaiters = 0x80000000, kOwnerDied = 0x40000000, kTidMask = 0x3fffffff;
constexpr uint32_t kMatchAny = ~0u;

constexpr long kFutexWaitv = 449, kFutexWake = 454, kFutexWait = 455, kFutexRequeue = 456;
constexpr uint32_t kWord32 = 2 | 128;  // FUTEX2_SIZE_U32, FUTEX2_PRIVATE

using Word = std::atomic<uint32_t>;

long Futex(Word& word, int operation, uint32_t value, const timespec* timeout = nullptr,
           Word* second = nullptr, uint32_t third = 0) {
  return syscall(SYS_futex, &word, operation | kPrivate, value, timeout, second, third);
}

uint32_t ThreadId() { return static_cast<uint32_t>(syscall(SYS_gettid)); }

timespec After(clockid_t clock, long milliseconds) {
  timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += milliseconds * 1'000'000;
  time.tv_sec += time.tv_nsec / 1'000'000'000;
  time.tv_nsec %= 1'000'000'000;
  return time;
}

void SleepFor(long milliseconds) {
  const timespec time = {milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&time, nullptr);
}

// New calls of Linux that an old kernel under the native twin may lack.
bool Has(long number) {
  return syscall(number, nullptr, 0, 0, 0, nullptr, 0) != -1 || errno != ENOSYS;
}

// ---- locks with owners

TEST(FutexLock, IsTakenAndGivenUp) {
  Word word = 0;
  ASSERT_EQ(Futex(word, kLockPi, 0), 0);
  EXPECT_EQ(word.load(), ThreadId());
  EXPECT_EQ(Futex(word, kLockPi, 0), -1);
  EXPECT_EQ(errno, EDEADLK);
  EXPECT_EQ(Futex(word, kTryLockPi, 0), -1);
  EXPECT_EQ(errno, EDEADLK);
  EXPECT_EQ(Futex(word, kUnlockPi, 0), 0);
  EXPECT_EQ(word.load(), 0u);
  EXPECT_EQ(Futex(word, kUnlockPi, 0), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(FutexLock, OwnerThatIsNoThread) {
  Word word = 0x3ffffff0;
  EXPECT_EQ(Futex(word, kLockPi, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(FutexLock, IsHandedToTheNext) {
  Word word = 0;
  ASSERT_EQ(Futex(word, kLockPi, 0), 0);
  std::atomic<int> order = 0;
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const bool locked = Futex(word, kLockPi, 0) == 0;
      const bool owned = (word.load() & kTidMask) == ThreadId();
      ++order;
      failed = failed || !locked || !owned || Futex(word, kUnlockPi, 0) != 0;
    });
  }
  while ((word.load() & kWaiters) == 0) {
    sched_yield();
  }
  EXPECT_EQ(order.load(), 0);
  EXPECT_EQ(Futex(word, kUnlockPi, 0), 0);
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(order.load(), 4);
  EXPECT_FALSE(failed.load());
  EXPECT_EQ(word.load() & kTidMask, 0u);
}

TEST(FutexLock, TimesOutByEitherClock) {
  Word word = 0;
  ASSERT_EQ(Futex(word, kLockPi, 0), 0);
  std::thread([&] {
    timespec until = After(CLOCK_REALTIME, 20);
    EXPECT_EQ(Futex(word, kLockPi, 0, &until), -1);
    EXPECT_EQ(errno, ETIMEDOUT);
    until = After(CLOCK_MONOTONIC, 20);
    if (Futex(word, kLockPi2, 0, &until) == -1 && errno != ENOSYS) {
      EXPECT_EQ(errno, ETIMEDOUT);
    }
    EXPECT_EQ(Futex(word, kTryLockPi, 0), -1);
    EXPECT_EQ(errno, EAGAIN);
  }).join();
  EXPECT_EQ(Futex(word, kUnlockPi, 0), 0);
}

TEST(FutexLock, CircleOfOwnersIsFound) {
  Word first = 0;
  Word second = 0;
  ASSERT_EQ(Futex(first, kLockPi, 0), 0);
  std::atomic<bool> has_second = false;
  std::thread other([&] {
    Futex(second, kLockPi, 0);
    has_second = true;
    EXPECT_EQ(Futex(first, kLockPi, 0), 0);
    Futex(first, kUnlockPi, 0);
    Futex(second, kUnlockPi, 0);
  });
  while (!has_second || (first.load() & kWaiters) == 0) {
    sched_yield();
  }
  SleepFor(20);  // the mark comes before the sleep
  EXPECT_EQ(Futex(second, kLockPi, 0), -1);
  EXPECT_EQ(errno, EDEADLK);
  EXPECT_EQ(Futex(first, kUnlockPi, 0), 0);
  other.join();
}

TEST(FutexLock, DeadOwnerLeavesItToTheNext) {
  Word word = 0;
  std::atomic<bool> locked = false;
  std::atomic<bool> end = false;
  std::thread owner([&] {
    Futex(word, kLockPi, 0);
    locked = true;
    while (!end) {
      sched_yield();
    }
  });
  while (!locked) {
    sched_yield();
  }
  std::thread heir([&] {
    EXPECT_EQ(Futex(word, kLockPi, 0), 0);
    EXPECT_EQ(word.load() & kTidMask, ThreadId());
    EXPECT_NE(word.load() & kOwnerDied, 0u);
    EXPECT_EQ(Futex(word, kUnlockPi, 0), 0);
  });
  while ((word.load() & kWaiters) == 0) {
    sched_yield();
  }
  end = true;
  owner.join();
  heir.join();
}

volatile sig_atomic_t handled;

TEST(FutexLock, SignalsAreHandledWhileWaiting) {
  struct sigaction action = {};
  action.sa_handler = [](int) { handled = 1; };  // without SA_RESTART
  sigaction(SIGUSR1, &action, nullptr);
  handled = 0;
  Word word = 0;
  ASSERT_EQ(Futex(word, kLockPi, 0), 0);
  std::thread waiter([&] {
    EXPECT_EQ(Futex(word, kLockPi, 0), 0);
    Futex(word, kUnlockPi, 0);
  });
  while ((word.load() & kWaiters) == 0) {
    sched_yield();
  }
  SleepFor(10);
  pthread_kill(waiter.native_handle(), SIGUSR1);
  while (handled == 0) {
    sched_yield();
  }
  EXPECT_EQ(Futex(word, kUnlockPi, 0), 0);
  waiter.join();
}

TEST(FutexLock, SleepersAreMovedToIt) {
  Word condition = 0;
  Word lock = 0;
  ASSERT_EQ(Futex(lock, kLockPi, 0), 0);
  std::atomic<int> through = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      EXPECT_EQ(Futex(condition, kWaitRequeuePi, 0, nullptr, &lock, kMatchAny), 0);
      EXPECT_EQ(lock.load() & kTidMask, ThreadId());
      ++through;
      EXPECT_EQ(Futex(lock, kUnlockPi, 0), 0);
    });
  }
  SleepFor(50);
  const timespec* many = reinterpret_cast<const timespec*>(uintptr_t{10});
  long moved = 0;
  for (int i = 0; i < 1000 && moved < 3; ++i) {
    const long now = Futex(condition, kCmpRequeuePi, 1, many, &lock, 0);
    ASSERT_GE(now, 0);
    moved += now;
    sched_yield();
  }
  EXPECT_EQ(moved, 3);
  EXPECT_EQ(through.load(), 0);
  EXPECT_EQ(Futex(lock, kUnlockPi, 0), 0);
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(through.load(), 3);
}

// ---- mutexes of the C library

class Mutex {
 public:
  Mutex(int protocol, int robust, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setrobust(&attributes, robust);
    ok_ = pthread_mutexattr_setprotocol(&attributes, protocol) == 0 &&
          pthread_mutex_init(&mutex_, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
  }
  ~Mutex() { pthread_mutex_destroy(&mutex_); }
  bool ok() const { return ok_; }
  pthread_mutex_t* get() { return &mutex_; }

 private:
  pthread_mutex_t mutex_;
  bool ok_;
};

class Mutexes : public testing::TestWithParam<int> {};  // by protocol

TEST_P(Mutexes, KeepOthersOut) {
  Mutex mutex(GetParam(), PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL);
  ASSERT_TRUE(mutex.ok());
  constexpr int kThreads = 8, kRounds = 5000;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        pthread_mutex_lock(mutex.get());
        const int before = count;
        if (round % 512 == 0) {
          sched_yield();
        }
        count = before + 1;
        pthread_mutex_unlock(mutex.get());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(count, kThreads * kRounds);
}

TEST_P(Mutexes, FindOutAboutThemselves) {
  Mutex mutex(GetParam(), PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ERRORCHECK);
  ASSERT_TRUE(mutex.ok());
  EXPECT_EQ(pthread_mutex_lock(mutex.get()), 0);
  EXPECT_EQ(pthread_mutex_lock(mutex.get()), EDEADLK);
  std::thread([&] {
    EXPECT_EQ(pthread_mutex_trylock(mutex.get()), EBUSY);
    EXPECT_EQ(pthread_mutex_unlock(mutex.get()), EPERM);
    const timespec until = After(CLOCK_REALTIME, 10);
    EXPECT_EQ(pthread_mutex_timedlock(mutex.get(), &until), ETIMEDOUT);
  }).join();
  EXPECT_EQ(pthread_mutex_unlock(mutex.get()), 0);
}

TEST_P(Mutexes, TellOfADeadOwner) {
  Mutex mutex(GetParam(), PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL);
  ASSERT_TRUE(mutex.ok());
  std::thread([&] { pthread_mutex_lock(mutex.get()); }).join();
  EXPECT_EQ(pthread_mutex_lock(mutex.get()), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_consistent(mutex.get()), 0);
  EXPECT_EQ(pthread_mutex_unlock(mutex.get()), 0);
  EXPECT_EQ(pthread_mutex_lock(mutex.get()), 0);
  EXPECT_EQ(pthread_mutex_unlock(mutex.get()), 0);
  // While somebody waits, and without making it good again.
  std::atomic<bool> locked = false;
  std::thread owner([&] {
    pthread_mutex_lock(mutex.get());
    locked = true;
    SleepFor(30);
  });
  while (!locked) {
    sched_yield();
  }
  EXPECT_EQ(pthread_mutex_lock(mutex.get()), EOWNERDEAD);
  EXPECT_EQ(pthread_mutex_unlock(mutex.get()), 0);
  EXPECT_EQ(pthread_mutex_lock(mutex.get()), ENOTRECOVERABLE);
  owner.join();
}

INSTANTIATE_TEST_SUITE_P(Protocols, Mutexes,
                         testing::Values(PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT));

// ---- the new calls

TEST(NewFutexCalls, WaitForOneOfSeveral) {
  if (!Has(kFutexWaitv)) {
    GTEST_SKIP() << "this kernel has no futex_waitv";
  }
  struct Entry {
    uint64_t value, address;
    uint32_t flags, reserved;
  };
  Word words[3] = {1, 2, 3};
  Entry entries[3] = {};
  for (int i = 0; i < 3; ++i) {
    entries[i] = {words[i].load(), reinterpret_cast<uint64_t>(&words[i]), kWord32, 0};
  }
  timespec until = After(CLOCK_MONOTONIC, 10);
  EXPECT_EQ(syscall(kFutexWaitv, entries, 3, 0, &until, CLOCK_MONOTONIC), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  std::thread waker([&] {
    while (Futex(words[1], kWake, 1) == 0) {
      sched_yield();
    }
  });
  until = After(CLOCK_MONOTONIC, 10'000);
  EXPECT_EQ(syscall(kFutexWaitv, entries, 3, 0, &until, CLOCK_MONOTONIC), 1);
  waker.join();
  EXPECT_EQ(Futex(words[0], kWake, 1), 0) << "nobody is left behind";
  words[2] = 4;
  EXPECT_EQ(syscall(kFutexWaitv, entries, 3, 0, &until, CLOCK_MONOTONIC), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(Futex(words[0], kWake, 1), 0);
  EXPECT_EQ(syscall(kFutexWaitv, entries, 129, 0, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  entries[1].flags = 0;
  EXPECT_EQ(syscall(kFutexWaitv, entries, 3, 0, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(NewFutexCalls, WaitWakeAndRequeue) {
  if (!Has(kFutexWait)) {
    GTEST_SKIP() << "this kernel has no futex_wait";
  }
  Word from = 5;
  Word to = 0;
  EXPECT_EQ(syscall(kFutexWait, &from, 6, ~0u, kWord32, nullptr, CLOCK_MONOTONIC), -1);
  EXPECT_EQ(errno, EAGAIN);
  const timespec until = After(CLOCK_REALTIME, 10);
  EXPECT_EQ(syscall(kFutexWait, &from, 5, ~0u, kWord32, &until, CLOCK_REALTIME), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  std::thread waiter(
      [&] { EXPECT_EQ(syscall(kFutexWait, &from, 5, ~0u, kWord32, nullptr, CLOCK_MONOTONIC), 0); });
  const struct {
    uint64_t value, address;
    uint32_t flags, reserved;
  } entries[2] = {{5, reinterpret_cast<uint64_t>(&from), kWord32, 0},
                  {0, reinterpret_cast<uint64_t>(&to), kWord32, 0}};
  while (syscall(kFutexRequeue, entries, 0, 0, 1) == 0) {
    sched_yield();
  }
  EXPECT_EQ(syscall(kFutexWake, &from, ~0u, 1, kWord32), 0);
  EXPECT_EQ(syscall(kFutexWake, &to, ~0u, 0, kWord32), 0);
  EXPECT_EQ(syscall(kFutexWake, &to, ~0u, 1, kWord32), 1);
  waiter.join();
}

// ---- arguments that make no sense

TEST(FutexArguments, AreChecked) {
  Word word = 0;
  char* odd = reinterpret_cast<char*>(&word) + 1;
  EXPECT_EQ(syscall(SYS_futex, odd, kWake, 1, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(syscall(SYS_futex, odd, kWait, 0, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(syscall(SYS_futex, 8, kWait, 0, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(syscall(SYS_futex, 8, kLockPi, 0, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(Futex(word, kWaitBitset, 0, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(Futex(word, 99, 0), -1);
  EXPECT_EQ(errno, ENOSYS);
  const timespec bad = {0, 1'000'000'000};
  EXPECT_EQ(Futex(word, kWait, 0, &bad), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(Futex(word, kCmpRequeue, static_cast<uint32_t>(-1), nullptr, &word, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
