// SPDX-License-Identifier: Apache-2.0
// Clocks, random numbers, allocation, copying, static objects.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
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

// Two pages of random bytes, and nothing before and behind them.
class GuardedPages {
 public:
  static constexpr size_t kSize = 8192;

  GuardedPages() {
    void* const memory = mmap(nullptr, kSize + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mapping_ = static_cast<unsigned char*>(memory);
    mprotect(begin(), kSize, PROT_READ | PROT_WRITE);
    std::mt19937 random(1);
    for (size_t i = 0; i < kSize; ++i) {
      begin()[i] = static_cast<unsigned char>(random());
    }
  }
  ~GuardedPages() { munmap(mapping_, kSize + 8192); }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;

  unsigned char* begin() const { return mapping_ + 4096; }
  // Where a range of `size` bytes may begin: often at an end.
  size_t Place(size_t size, std::mt19937& random) const {
    switch (random() % 4) {
      case 0:
        return 0;
      case 1:
        return kSize - size;
      default:
        return random() % (kSize - size + 1);
    }
  }

 private:
  unsigned char* mapping_;
};

// Through these the compiler does not see what is called.
void* (*volatile copy)(void*, const void*, size_t) = memcpy;
void* (*volatile move)(void*, const void*, size_t) = memmove;
int (*volatile compare)(const void*, const void*, size_t) = memcmp;

TEST(Runtime, CopiesAndMovesOfAllSizes) {
  const GuardedPages pages, other;
  std::mt19937 random(2);
  std::vector<unsigned char> expected(GuardedPages::kSize);
  for (size_t round = 0; round < 8000; ++round) {
    const size_t size = round < 2400 ? round / 8 : random() % (GuardedPages::kSize + 1);
    const size_t from = pages.Place(size, random);
    size_t to = pages.Place(size, random);
    if (round % 2 == 0) {
      // Near each other, so that they overlap.
      to = std::min(from + random() % 300 - std::min<size_t>(from, 150), pages.kSize - size);
    }
    std::copy_n(pages.begin(), pages.kSize, expected.begin());
    for (size_t i = 0; i < size; ++i) {
      expected[to + i] = pages.begin()[from + i];
    }
    ASSERT_EQ(move(pages.begin() + to, pages.begin() + from, size), pages.begin() + to);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), pages.begin()))
        << size << " bytes from " << from << " to " << to;

    std::copy_n(other.begin(), pages.kSize, expected.begin());
    std::copy_n(pages.begin() + from, size, expected.begin() + static_cast<ptrdiff_t>(to));
    ASSERT_EQ(copy(other.begin() + to, pages.begin() + from, size), other.begin() + to);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), other.begin()))
        << size << " bytes from " << from << " to " << to;
  }
}

TEST(Runtime, ComparisonFindsTheFirstDifference) {
  const GuardedPages left, right;
  std::mt19937 random(3);
  for (size_t round = 0; round < 20'000; ++round) {
    const size_t size = round < 6000 ? round / 20 : random() % 4096;
    unsigned char* const mine = left.begin() + left.Place(size, random);
    unsigned char* const others = right.begin() + right.Place(size, random);
    std::copy_n(mine, size, others);
    ASSERT_EQ(compare(mine, others, size), 0) << size;
    if (size > 0) {
      const size_t at = random() % size;
      others[at] ^= static_cast<unsigned char>(1 + random() % 255);
      const size_t later = at + random() % (size - at);
      others[later] ^= static_cast<unsigned char>(later == at ? 0 : 0x80);
      ASSERT_EQ(compare(mine, others, size) < 0, mine[at] < others[at]) << size << " at " << at;
      ASSERT_EQ(compare(others, mine, size) < 0, others[at] < mine[at]) << size << " at " << at;
    }
  }
}

TEST(Runtime, PageSizeAndProcessors) {
  EXPECT_EQ(sysconf(_SC_PAGESIZE), 4096);
  EXPECT_GE(std::thread::hardware_concurrency(), 1u);
}

}  // namespace
