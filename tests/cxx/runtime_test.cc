// SPDX-License-Identifier: Apache-2.0
// Clocks, random numbers, allocation, static objects.

#include <gtest/gtest.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

// Built before main, in order of definition.
std::vector<int>& Order() {
  static std::vector<int> order;
  return order;
}
struct Static {
  explicit Static(int number) { Order().push_back(number); }
};
const Static first_static(1);
const Static second_static(2);
__attribute__((constructor(101))) void EarlyConstructor() { Order().push_back(0); }

TEST(Runtime, StaticConstructorsRanInOrder) { EXPECT_EQ(Order(), (std::vector<int>{0, 1, 2})); }

TEST(Runtime, SteadyClockNeverGoesBack) {
  auto last = std::chrono::steady_clock::now();
  for (int i = 0; i < 100'000; ++i) {
    const auto now = std::chrono::steady_clock::now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Runtime, SleepLastsLongEnough) {
  const auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(10ms);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 10ms);
}

TEST(Runtime, WallClockIsAfterThisWasWritten) {
  EXPECT_GT(std::chrono::system_clock::now(),
            std::chrono::sys_days(std::chrono::year(2026) / 11 / 1));
}

TEST(Runtime, LocalTimeIsUtcWithoutZones) {
  const time_t moment = 1'700'000'000;
  tm local, utc;
  ASSERT_NE(localtime_r(&moment, &local), nullptr);
  ASSERT_NE(gmtime_r(&moment, &utc), nullptr);
  EXPECT_EQ(utc.tm_year, 123);
  EXPECT_EQ(utc.tm_hour, 22);
}

TEST(Runtime, CpuTimeAdvancesWithWork) {
  timespec before, after;
  ASSERT_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before), 0);
  volatile uint64_t sink = 0;
  for (int i = 0; i < 3'000'000; ++i) {
    sink = sink + static_cast<uint64_t>(i);
  }
  ASSERT_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after), 0);
  EXPECT_GT((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec, 0);
}

TEST(Runtime, RandomDeviceDiffers) {
  std::random_device device;
  std::set<uint32_t> seen;
  for (int i = 0; i < 64; ++i) {
    seen.insert(device());
  }
  EXPECT_GT(seen.size(), 60u);
  std::vector<unsigned char> bytes(5000);
  ASSERT_EQ(getrandom(bytes.data(), bytes.size(), 0), 5000);
  EXPECT_GT(std::set<unsigned char>(bytes.begin(), bytes.end()).size(), 250u);
}

TEST(Runtime, LargeAndAlignedAllocations) {
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(std::make_unique<char[]>(8u << 20));
    blocks.back()[(8u << 20) - 1] = 'x';
    ASSERT_EQ(blocks.back()[0], 0);
  }
  struct alignas(4096) Page {
    char bytes[4096];
  };
  auto page = std::make_unique<Page>();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(page.get()) % 4096, 0u);
  std::pmr::monotonic_buffer_resource arena;
  std::pmr::vector<std::pmr::string> strings(&arena);
  strings.resize(1000, "a string that is too long for the small buffer");
  EXPECT_EQ(strings.back().size(), 46u);
}

TEST(Runtime, ReallocKeepsContents) {
  auto* numbers = static_cast<uint32_t*>(std::malloc(sizeof(uint32_t)));
  size_t count = 1;
  numbers[0] = 0;
  while (count < (1u << 20)) {
    numbers = static_cast<uint32_t*>(std::realloc(numbers, 2 * count * sizeof(uint32_t)));
    ASSERT_NE(numbers, nullptr);
    for (size_t i = count; i < 2 * count; ++i) {
      numbers[i] = static_cast<uint32_t>(i);
    }
    count *= 2;
  }
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(numbers[i], i);
  }
  std::free(numbers);
}

TEST(Runtime, PageSizeAndProcessors) {
  EXPECT_EQ(sysconf(_SC_PAGESIZE), 4096);
  EXPECT_GE(std::thread::hardware_concurrency(), 1u);
}

}  // namespace
