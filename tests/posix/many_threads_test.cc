// SPDX-License-Identifier: Apache-2.0
// Threads in numbers: ten thousand at once, and no wake-up lost whatever the order of things.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace {

TEST(ManyThreads, TenThousandAtOnce) {
  constexpr int kThreads = 10'000;
  static std::atomic<int> arrived;
  static sem_t go;
  arrived = 0;
  sem_init(&go, 0, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{16} << 10);
  std::vector<pthread_t> threads(kThreads);
  int made = 0;
  for (pthread_t& thread : threads) {
    const int error = pthread_create(
        &thread, &attributes,
        [](void* number) -> void* {
          ++arrived;
          sem_wait(&go);
          return number;
        },
        &thread);
    ASSERT_EQ(error, 0) << "thread " << made;
    ++made;
  }
  while (arrived != kThreads) {
    sched_yield();
  }
  for (int i = 0; i < kThreads; ++i) {
    sem_post(&go);
  }
  for (pthread_t& thread : threads) {
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    ASSERT_EQ(result, &thread);
  }
  pthread_attr_destroy(&attributes);
  sem_destroy(&go);
}

// Work handed around a ring of threads by all kinds of waiting, in random order, while timer
// signals come at any instruction. A lost wake-up hangs here.
class Ring {
 public:
  static constexpr int kPlaces = 6;

  void Run(int rounds) {
    for (int i = 0; i < kPlaces; ++i) {
      sem_init(&semaphores_[i], 0, 0);
      pthread_mutex_init(&mutexes_[i], nullptr);
      pthread_cond_init(&conditions_[i], nullptr);
      ASSERT_EQ(pipe(pipes_[i]), 0);
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < kPlaces; ++i) {
      threads.emplace_back([this, i, rounds] { Pass(i, rounds); });
    }
    Give(0, 0);
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(passed_.load(), kPlaces * rounds);
    for (int i = 0; i < kPlaces; ++i) {
      sem_destroy(&semaphores_[i]);
      pthread_mutex_destroy(&mutexes_[i]);
      pthread_cond_destroy(&conditions_[i]);
      close(pipes_[i][0]);
      close(pipes_[i][1]);
    }
  }

 private:
  // By the number of the round each side knows how the next token comes.
  static int KindOf(int place, int round) {
    return static_cast<int>(std::minstd_rand(static_cast<unsigned>(place * 7919 + round + 1))() %
                            3);
  }

  void Give(int place, int round) {
    switch (KindOf(place, round)) {
      case 0:
        sem_post(&semaphores_[place]);
        break;
      case 1:
        pthread_mutex_lock(&mutexes_[place]);
        ++tokens_[place];
        pthread_cond_signal(&conditions_[place]);
        pthread_mutex_unlock(&mutexes_[place]);
        break;
      default:
        EXPECT_EQ(write(pipes_[place][1], "x", 1), 1);
        break;
    }
  }

  void Take(int place, int round) {
    char byte;
    switch (KindOf(place, round)) {
      case 0:
        while (sem_wait(&semaphores_[place]) != 0 && errno == EINTR) {
        }
        break;
      case 1:
        pthread_mutex_lock(&mutexes_[place]);
        while (tokens_[place] == 0) {
          pthread_cond_wait(&conditions_[place], &mutexes_[place]);
        }
        --tokens_[place];
        pthread_mutex_unlock(&mutexes_[place]);
        break;
      default:
        EXPECT_EQ(read(pipes_[place][0], &byte, 1), 1);  // SA_RESTART
        break;
    }
  }

  void Pass(int place, int rounds) {
    std::minstd_rand random(static_cast<unsigned>(place + 1));
    for (int round = 0; round < rounds; ++round) {
      Take(place, round);
      ++passed_;
      if (random() % 16 == 0) {
        sched_yield();
      }
      for (unsigned spin = random() % 64; spin != 0; --spin) {
        asm volatile("");
      }
      const int next = (place + 1) % kPlaces;
      const int next_round = next == 0 ? round + 1 : round;
      if (next_round < rounds) {
        Give(next, next_round);
      }
    }
  }

  sem_t semaphores_[kPlaces];
  pthread_mutex_t mutexes_[kPlaces];
  pthread_cond_t conditions_[kPlaces];
  int tokens_[kPlaces] = {};
  int pipes_[kPlaces][2] = {};
  std::atomic<int> passed_ = 0;
};

std::atomic<int> ticks;

TEST(Wakeups, NoneIsLostUnderRandomSignals) {
  struct sigaction action = {};
  action.sa_handler = [](int) { ++ticks; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  ticks = 0;
  const itimerval often = {.it_interval = {0, 700}, .it_value = {0, 700}};
  ASSERT_EQ(setitimer(ITIMER_REAL, &often, nullptr), 0);
  for (int i = 0; i < 3; ++i) {
    Ring ring;
    ring.Run(1500);
  }
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  EXPECT_GT(ticks.load(), 0);
}

}  // namespace
