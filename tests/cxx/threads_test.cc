// SPDX-License-Identifier: Apache-2.0
// std::thread and everything built on it.

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <queue>
#include <semaphore>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

TEST(Threads, AThousandAtOnce) {
  std::latch all_here(1000);
  std::atomic<int> sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 1000; ++i) {
    threads.emplace_back([&, i] {
      all_here.arrive_and_wait();
      sum += i;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(sum, 999 * 1000 / 2);
}

TEST(Threads, MutexKeepsCountersRight) {
  std::mutex mutex;
  int64_t count = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20'000; ++round) {
          std::lock_guard lock(mutex);
          ++count;
        }
      });
    }
  }
  EXPECT_EQ(count, 160'000);
}

TEST(Threads, BoundedQueueDeliversEverythingOnce) {
  std::mutex mutex;
  std::condition_variable not_empty, not_full;
  std::queue<int> queue;
  constexpr int kItems = 20'000;
  std::atomic<int64_t> received = 0;
  {
    std::vector<std::jthread> threads;
    for (int producer = 0; producer < 2; ++producer) {
      threads.emplace_back([&, producer] {
        for (int item = producer; item < kItems; item += 2) {
          std::unique_lock lock(mutex);
          not_full.wait(lock, [&] { return queue.size() < 16; });
          queue.push(item);
          not_empty.notify_one();
        }
      });
    }
    for (int consumer = 0; consumer < 2; ++consumer) {
      threads.emplace_back([&] {
        for (int i = 0; i < kItems / 2; ++i) {
          std::unique_lock lock(mutex);
          not_empty.wait(lock, [&] { return !queue.empty(); });
          received += queue.front();
          queue.pop();
          not_full.notify_one();
        }
      });
    }
  }
  EXPECT_EQ(received, int64_t{kItems} * (kItems - 1) / 2);
}

TEST(Threads, BarrierRunsItsCompletionOncePerPhase) {
  int phases = 0;
  std::barrier barrier(4, [&]() noexcept { ++phases; });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int phase = 0; phase < 100; ++phase) {
          barrier.arrive_and_wait();
        }
      });
    }
  }
  EXPECT_EQ(phases, 100);
}

TEST(Threads, JthreadStops) {
  std::atomic<bool> stopped = false;
  {
    std::jthread thread([&](const std::stop_token& token) {
      std::mutex mutex;
      std::condition_variable_any changed;
      std::unique_lock lock(mutex);
      changed.wait(lock, token, [] { return false; });
      stopped = token.stop_requested();
    });
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_TRUE(stopped);
}

TEST(Threads, SemaphoreAndAtomicWait) {
  std::counting_semaphore<8> semaphore(0);
  std::atomic<int> turn = 0;
  std::jthread peer([&] {
    for (int i = 0; i < 1000; ++i) {
      semaphore.acquire();
      turn.store(i + 1);
      turn.notify_one();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    semaphore.release();
    turn.wait(i);
    EXPECT_EQ(turn, i + 1);
  }
}

TEST(Threads, SharedMutexLetsReadersIn) {
  std::shared_mutex mutex;
  std::latch readers_inside(2);
  int value = 0;
  {
    std::jthread first([&] {
      std::shared_lock lock(mutex);
      readers_inside.arrive_and_wait();
    });
    std::jthread second([&] {
      std::shared_lock lock(mutex);
      readers_inside.arrive_and_wait();
    });
  }
  {
    std::unique_lock lock(mutex);
    value = 1;
    EXPECT_FALSE(std::async(std::launch::async, [&] { return mutex.try_lock_shared(); }).get());
  }
  EXPECT_EQ(value, 1);
}

TEST(Threads, TimedWaitsEnd) {
  std::timed_mutex mutex;
  std::unique_lock lock(mutex);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(std::async(std::launch::async, [&] { return mutex.try_lock_for(20ms); }).get());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);

  std::mutex other;
  std::condition_variable never;
  std::unique_lock other_lock(other);
  EXPECT_EQ(never.wait_for(other_lock, 5ms), std::cv_status::timeout);
  EXPECT_EQ(never.wait_until(other_lock, std::chrono::system_clock::now() + 5ms),
            std::cv_status::timeout);
}

// Counts constructions and destructions of a thread_local in all threads.
struct PerThread {
  PerThread() { ++alive; }
  ~PerThread() { --alive; }
  static inline std::atomic<int> alive = 0;
  int value = 0;
};
thread_local PerThread local;

TEST(Threads, ThreadLocalsAreBuiltAndDestroyed) {
  local.value = 1;
  const int before = PerThread::alive;
  std::thread([&] {
    EXPECT_EQ(local.value, 0);
    local.value = 2;
    EXPECT_EQ(PerThread::alive, before + 1);
  }).join();
  EXPECT_EQ(PerThread::alive, before);
  EXPECT_EQ(local.value, 1);
}

TEST(Threads, LargeAlignedThreadLocal) {
  struct alignas(64) Block {
    char bytes[70'000];
  };
  thread_local Block block;
  const auto check = [&] {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&block) % 64, 0u);
    EXPECT_EQ(std::accumulate(std::begin(block.bytes), std::end(block.bytes), 0), 0);
    block.bytes[69'999] = 1;
  };
  check();
  std::thread(check).join();
  std::thread(check).join();
}

// No instruction handles it, so that the runtime has a lock for it.
TEST(Threads, AtomicsOfAnySize) {
  struct Four {
    uint64_t a, b, c, d;
  };
  constexpr uint64_t kThreads = 4, kRounds = 5000;
  std::atomic<Four> value = Four{};
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (uint64_t round = 0; round < kRounds; ++round) {
        Four found = value.load();
        while (!value.compare_exchange_weak(found,
                                            {found.a + 1, found.b + 2, found.c + 3, found.d + 4})) {
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const Four last = value;
  EXPECT_EQ(last.a, kThreads * kRounds);
  EXPECT_EQ(last.d, 4 * kThreads * kRounds);
}

TEST(Threads, SpinningThreadIsPreempted) {
  // Both spin without ever calling anything: on one vCPU only a preemption lets the second one
  // finish.
  std::atomic<bool> flag = false;
  std::thread spinner([&] {
    while (!flag.load(std::memory_order_relaxed)) {
    }
  });
  std::thread setter([&] { flag = true; });
  setter.join();
  spinner.join();
  SUCCEED();
}

TEST(Threads, AsyncAndPackagedTask) {
  std::future<std::string> text =
      std::async(std::launch::async, [] { return std::string("done"); });
  EXPECT_EQ(text.get(), "done");
  std::packaged_task<int(int)> task([](int value) { return value * 2; });
  std::future<int> result = task.get_future();
  std::thread(std::move(task), 21).join();
  EXPECT_EQ(result.get(), 42);
}

TEST(Threads, DetachedThreadRuns) {
  std::promise<void> done;
  std::thread([&] { done.set_value(); }).detach();
  EXPECT_EQ(done.get_future().wait_for(10s), std::future_status::ready);
}

TEST(Threads, ManyShortLives) {
  std::atomic<int> ran = 0;
  for (int i = 0; i < 5000; ++i) {
    std::thread([&] { ++ran; }).join();
  }
  EXPECT_EQ(ran, 5000);
}

}  // namespace
