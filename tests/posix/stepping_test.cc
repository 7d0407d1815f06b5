// SPDX-License-Identifier: Apache-2.0
// No wake-up is lost, wherever a thread is preempted: threads step through the C library's locks by
// the trap flag, and after each instruction, at random, give up the processor.
#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace {

thread_local uint64_t random_state = 1;
thread_local uint64_t steps = 0;

uint64_t Random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

// The other flags are not of interest to compiled code between two statements.
void SetTrapFlag() {
  asm volatile(
      "lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}
void ClearTrapFlag() {
  asm volatile(
      "lea -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; lea 128(%%rsp), %%rsp" ::
          : "memory", "cc");
}

class Stepping : public testing::Test {
 protected:
  void SetUp() override {
    struct sigaction action = {};
    action.sa_handler = [](int) {
      const int saved = errno;
      ++steps;
      if (Random() % 32 == 0) {
        sched_yield();
      }
      errno = saved;
    };
    sigaction(SIGTRAP, &action, &old_);
  }
  void TearDown() override { sigaction(SIGTRAP, &old_, nullptr); }

  // Runs each of `bodies` in a thread that steps through it.
  static void RunStepping(uint64_t seed, const std::vector<std::function<void()>>& bodies) {
    std::vector<std::thread> threads;
    for (const std::function<void()>& body : bodies) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      threads.emplace_back([&body, seed] {
        random_state = seed | 1;
        SetTrapFlag();
        body();
        ClearTrapFlag();
        EXPECT_GT(steps, 0u);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

 private:
  struct sigaction old_ = {};
};

TEST_F(Stepping, ACallIsOneStep) {
  steps = 0;
  long id = 0;
  SetTrapFlag();
  for (int i = 0; i < 10; ++i) {
    id = syscall(SYS_getppid);
  }
  ClearTrapFlag();
  EXPECT_EQ(id, getppid());
  EXPECT_GE(steps, 100u) << "it goes on behind a call";
  EXPECT_LE(steps, 2000u) << "and does not go into it";
}

// Seeds that are tried: the first, and as many more as there is a moment for.
class Seeds {
 public:
  bool Next() {
    ++seed_;
    return seed_ == 1 || (seed_ <= kMost && std::chrono::steady_clock::now() - start_ < kMoment);
  }
  uint64_t seed() const { return seed_; }

 private:
  static constexpr uint64_t kMost = 20;
  static constexpr std::chrono::milliseconds kMoment{300};

  uint64_t seed_ = 0;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

TEST_F(Stepping, MutexAndConditionTakeTurns) {
  for (Seeds seeds; seeds.Next();) {
    SCOPED_TRACE(seeds.seed());
    constexpr int kRounds = 4;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    int turn = 0;
    const auto play = [&](int me) {
      for (int i = 0; i < kRounds; ++i) {
        pthread_mutex_lock(&mutex);
        while (turn % 3 != me) {
          pthread_cond_wait(&changed, &mutex);
        }
        ++turn;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
      }
    };
    RunStepping(seeds.seed(), {[&] { play(0); }, [&] { play(1); }, [&] { play(2); }});
    EXPECT_EQ(turn, 3 * kRounds);
  }
}

TEST_F(Stepping, SemaphoresHandOver) {
  for (Seeds seeds; seeds.Next();) {
    SCOPED_TRACE(seeds.seed());
    constexpr int kRounds = 10;
    sem_t there, back;
    sem_init(&there, 0, 0);
    sem_init(&back, 0, 0);
    RunStepping(seeds.seed(), {[&] {
                                 for (int i = 0; i < kRounds; ++i) {
                                   sem_post(&there);
                                   sem_wait(&back);
                                 }
                               },
                               [&] {
                                 for (int i = 0; i < kRounds; ++i) {
                                   sem_wait(&there);
                                   sem_post(&back);
                                 }
                               }});
    sem_destroy(&there);
    sem_destroy(&back);
  }
}

TEST_F(Stepping, BarriersAndReadWriteLocks) {
  for (Seeds seeds; seeds.Next();) {
    SCOPED_TRACE(seeds.seed());
    constexpr int kRounds = 3;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, 3);
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    int value = 0;
    const auto play = [&] {
      for (int i = 0; i < kRounds; ++i) {
        pthread_rwlock_wrlock(&lock);
        value = value + 1;
        pthread_rwlock_unlock(&lock);
        pthread_barrier_wait(&barrier);
        pthread_rwlock_rdlock(&lock);
        EXPECT_EQ(value, 3 * (i + 1));
        pthread_rwlock_unlock(&lock);
        pthread_barrier_wait(&barrier);
      }
    };
    RunStepping(seeds.seed(), {play, play, play});
    pthread_barrier_destroy(&barrier);
  }
}

// Without steps: many threads, random deadlines, signals and wake-ups that race with each other. A
// token that is lost keeps somebody waiting for ever.
TEST(RandomSchedules, TokensAreNeverLost) {
  constexpr int kThreads = 6, kTokens = 3, kTurns = 1500;
  struct {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t returned = PTHREAD_COND_INITIALIZER;
    int tokens = kTokens;
  } pool;
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  struct sigaction old = {};
  sigaction(SIGUSR1, &action, &old);
  std::atomic<int> running = kThreads;
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= kThreads; ++seed) {
    threads.emplace_back([&, seed] {
      random_state = seed * 0x9e3779b97f4a7c15u;
      for (int turn = 0; turn < kTurns; ++turn) {
        pthread_mutex_lock(&pool.mutex);
        while (pool.tokens == 0) {
          if (Random() % 4 == 0) {
            timespec soon = {};
            clock_gettime(CLOCK_REALTIME, &soon);
            soon.tv_nsec += static_cast<long>(Random() % 100'000);
            soon.tv_sec += soon.tv_nsec / 1'000'000'000;
            soon.tv_nsec %= 1'000'000'000;
            pthread_cond_timedwait(&pool.returned, &pool.mutex, &soon);
          } else {
            pthread_cond_wait(&pool.returned, &pool.mutex);
          }
        }
        --pool.tokens;
        pthread_mutex_unlock(&pool.mutex);
        if (Random() % 3 == 0) {
          sched_yield();
        }
        pthread_mutex_lock(&pool.mutex);
        ++pool.tokens;
        if (Random() % 2 == 0) {
          pthread_cond_signal(&pool.returned);
        } else {
          pthread_cond_broadcast(&pool.returned);
        }
        pthread_mutex_unlock(&pool.mutex);
      }
      --running;
    });
  }
  // Signals interrupt sleeps at any moment, until nobody is left to be signalled.
  random_state = 77;
  while (running > 0) {
    kill(getpid(), SIGUSR1);
    const timespec moment = {.tv_sec = 0, .tv_nsec = static_cast<long>(Random() % 200'000)};
    nanosleep(&moment, nullptr);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pool.tokens, kTokens);
  sigaction(SIGUSR1, &old, nullptr);
}

}  // namespace
