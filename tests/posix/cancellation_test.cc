// SPDX-License-Identifier: Apache-2.0
// pthread_cancel: deferred in blocked calls and at test points, disabled, asynchronous; clean-up
// handlers.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

// Starts `body` in a thread, waits until it says that it is about to block, cancels it, and returns
// what join gives.
void* StartCancelJoin(void* (*body)(void*), void* argument, std::atomic<bool>& ready) {
  pthread_t thread;
  EXPECT_EQ(pthread_create(&thread, nullptr, body, argument), 0);
  while (!ready) {
    sched_yield();
  }
  EXPECT_EQ(pthread_cancel(thread), 0);
  void* result = nullptr;
  EXPECT_EQ(pthread_join(thread, &result), 0);
  return result;
}

std::atomic<bool> ready;

TEST(Cancellation, InSemaphoreWait) {
  for (int round = 0; round < 200; ++round) {
    ready = false;
    EXPECT_EQ(StartCancelJoin(
                  [](void*) -> void* {
                    sem_t never;
                    sem_init(&never, 0, 0);
                    ready = true;
                    sem_wait(&never);
                    return nullptr;
                  },
                  nullptr, ready),
              PTHREAD_CANCELED);
  }
}

TEST(Cancellation, InPipeRead) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ready = false;
  EXPECT_EQ(StartCancelJoin(
                [](void* fd) -> void* {
                  char byte;
                  ready = true;
                  (void)!read(*static_cast<int*>(fd), &byte, 1);
                  return nullptr;
                },
                &ends[0], ready),
            PTHREAD_CANCELED);
  close(ends[0]);
  close(ends[1]);
}

TEST(Cancellation, InNanosleep) {
  ready = false;
  EXPECT_EQ(StartCancelJoin(
                [](void*) -> void* {
                  ready = true;
                  const timespec long_time = {.tv_sec = 1000, .tv_nsec = 0};
                  nanosleep(&long_time, nullptr);
                  return nullptr;
                },
                nullptr, ready),
            PTHREAD_CANCELED);
}

TEST(Cancellation, InConditionWaitReacquiresTheMutex) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  ready = false;
  EXPECT_EQ(StartCancelJoin(
                [](void*) -> void* {
                  pthread_mutex_lock(&mutex);
                  pthread_cleanup_push([](void*) { pthread_mutex_unlock(&mutex); }, nullptr);
                  ready = true;
                  while (true) {
                    pthread_cond_wait(&never, &mutex);
                  }
                  pthread_cleanup_pop(1);
                  return nullptr;
                },
                nullptr, ready),
            PTHREAD_CANCELED);
  EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
  pthread_mutex_unlock(&mutex);
}

TEST(Cancellation, AtATestPoint) {
  ready = false;
  EXPECT_EQ(StartCancelJoin(
                [](void*) -> void* {
                  ready = true;
                  while (true) {
                    pthread_testcancel();
                  }
                },
                nullptr, ready),
            PTHREAD_CANCELED);
}

TEST(Cancellation, AsynchronousInALoop) {
  ready = false;
  EXPECT_EQ(StartCancelJoin(
                [](void*) -> void* {
                  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
                  ready = true;
                  while (true) {
                    asm volatile("pause");
                  }
                },
                nullptr, ready),
            PTHREAD_CANCELED);
}

TEST(Cancellation, DisabledMeansLater) {
  ready = false;
  static std::atomic<bool> survived;
  survived = false;
  EXPECT_EQ(StartCancelJoin(
                [](void*) -> void* {
                  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
                  ready = true;
                  const timespec moment = {.tv_sec = 0, .tv_nsec = 20'000'000};
                  nanosleep(&moment, nullptr);
                  survived = true;
                  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
                  pthread_testcancel();
                  return nullptr;
                },
                nullptr, ready),
            PTHREAD_CANCELED);
  EXPECT_TRUE(survived);
}

TEST(Cancellation, KeyDestructorsRun) {
  static pthread_key_t key;
  static std::atomic<int> destroyed;
  destroyed = 0;
  ASSERT_EQ(pthread_key_create(&key, [](void*) { ++destroyed; }), 0);
  ready = false;
  StartCancelJoin(
      [](void*) -> void* {
        pthread_setspecific(key, &key);
        ready = true;
        pause();
        return nullptr;
      },
      nullptr, ready);
  EXPECT_EQ(destroyed, 1);
  pthread_key_delete(key);
}

}  // namespace
