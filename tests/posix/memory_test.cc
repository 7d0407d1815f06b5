// SPDX-License-Identifier: Apache-2.0
// The mmap family: zero pages, rights, guard pages, moving, giving back, running out.

#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPage = 4096;

char* Map(size_t size, int protection = PROT_READ | PROT_WRITE,
          int flags = MAP_PRIVATE | MAP_ANONYMOUS) {
  void* memory = mmap(nullptr, size, protection, flags, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

sigjmp_buf jump;

// Whether one byte at `address` can be read (or written).
bool Accessible(volatile char* address, bool write) {
  struct sigaction action = {}, old;
  action.sa_handler = [](int) { siglongjmp(jump, 1); };
  sigaction(SIGSEGV, &action, &old);
  bool accessible = false;
  if (sigsetjmp(jump, 1) == 0) {
    const char byte = *address;
    if (write) {
      *address = byte;
    }
    accessible = true;
  }
  sigaction(SIGSEGV, &old, nullptr);
  return accessible;
}

TEST(Memory, FreshPagesAreZeroEvenAfterReuse) {
  for (int round = 0; round < 50; ++round) {
    char* memory = Map(16 * kPage);
    ASSERT_NE(memory, nullptr);
    for (size_t i = 0; i < 16 * kPage; i += 64) {
      ASSERT_EQ(memory[i], 0);
    }
    memset(memory, 0xaa, 16 * kPage);
    ASSERT_EQ(munmap(memory, 16 * kPage), 0);
  }
}

TEST(Memory, UnmappedPagesFault) {
  char* memory = Map(3 * kPage);
  ASSERT_NE(memory, nullptr);
  ASSERT_EQ(munmap(memory + kPage, kPage), 0);
  EXPECT_TRUE(Accessible(memory, true));
  EXPECT_FALSE(Accessible(memory + kPage, false));
  EXPECT_TRUE(Accessible(memory + 2 * kPage, true));
  munmap(memory, 3 * kPage);
}

TEST(Memory, ProtectionChanges) {
  char* memory = Map(2 * kPage);
  ASSERT_NE(memory, nullptr);
  memory[0] = 'a';
  ASSERT_EQ(mprotect(memory, kPage, PROT_READ), 0);
  EXPECT_TRUE(Accessible(memory, false));
  EXPECT_FALSE(Accessible(memory, true));
  ASSERT_EQ(mprotect(memory, kPage, PROT_NONE), 0);
  EXPECT_FALSE(Accessible(memory, false));
  ASSERT_EQ(mprotect(memory, kPage, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(memory[0], 'a');
  EXPECT_TRUE(Accessible(memory + kPage, true));
  munmap(memory, 2 * kPage);
}

// Whichever processor it runs on, and whatever that remembers of the page.
TEST(Memory, RightsAreTakenFromThreadsThatRun) {
  constexpr int kRounds = 50;
  char* const page = Map(kPage);
  ASSERT_NE(page, nullptr);
  page[0] = 1;
  std::atomic<uint64_t> reads = 0;
  std::atomic<uint64_t> faults = 0;
  std::atomic<uint64_t> late_reads = 0;
  std::atomic<bool> is_taken = false;
  std::atomic<bool> is_over = false;
  struct sigaction action = {}, old;
  action.sa_handler = [](int) { siglongjmp(jump, 1); };
  sigaction(SIGSEGV, &action, &old);
  std::thread reader([&] {
    const volatile char* const address = page;
    while (!is_over) {
      if (sigsetjmp(jump, 1) != 0) {
        ++faults;
        continue;
      }
      for (int i = 0; i < 1000; ++i) {
        const bool was_taken = is_taken;
        static_cast<void>(*address);
        ++reads;
        late_reads += was_taken && is_taken ? 1 : 0;
      }
    }
  });
  const auto wait_for = [](const std::atomic<uint64_t>& count, uint64_t more) {
    for (const uint64_t start = count; count < start + more;) {
      std::this_thread::yield();
    }
  };
  for (int round = 0; round < kRounds && late_reads == 0; ++round) {
    wait_for(reads, 100);
    ASSERT_EQ(mprotect(page, kPage, PROT_NONE), 0);
    is_taken = true;
    wait_for(faults, 1);
    is_taken = false;
    ASSERT_EQ(mprotect(page, kPage, PROT_READ), 0);
  }
  is_over = true;
  reader.join();
  sigaction(SIGSEGV, &old, nullptr);
  EXPECT_EQ(late_reads, 0u);
  munmap(page, kPage);
}

TEST(Memory, BadArgumentsAreRefused) {
  EXPECT_EQ(mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(mmap(nullptr, kPage, PROT_READ, MAP_ANONYMOUS, -1, 0), MAP_FAILED);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, -1, 0), MAP_FAILED);
  EXPECT_EQ(errno, EBADF);
  char* memory = Map(kPage);
  EXPECT_EQ(munmap(memory + 1, kPage), -1);
  EXPECT_EQ(errno, EINVAL);
  // Not by mprotect(): musl's rounds addresses itself.
  EXPECT_EQ(syscall(SYS_mprotect, memory + 1, kPage, PROT_READ), -1);
  EXPECT_EQ(errno, EINVAL);
  munmap(memory, kPage);
  EXPECT_EQ(mprotect(memory, kPage, PROT_READ), -1);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(Memory, LockedIsEachPageTouchedByTheRange) {
  char* memory = Map(2 * kPage);
  munmap(memory + kPage, kPage);
  EXPECT_EQ(mlock(memory + 1, kPage - 1), 0);
  EXPECT_EQ(mlock(memory + 1, kPage), -1);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(munlock(memory + 1, kPage - 1), 0);
  munmap(memory, kPage);
}

TEST(Memory, RemapGrowsAndMoves) {
  char* memory = Map(4 * kPage);
  ASSERT_NE(memory, nullptr);
  memset(memory, 'm', 4 * kPage);
  void* moved = mremap(memory, 4 * kPage, 400 * kPage, MREMAP_MAYMOVE);
  ASSERT_NE(moved, MAP_FAILED);
  char* bytes = static_cast<char*>(moved);
  EXPECT_EQ(bytes[4 * kPage - 1], 'm');
  EXPECT_EQ(bytes[4 * kPage], 0);
  moved = mremap(bytes, 400 * kPage, kPage, 0);
  EXPECT_EQ(moved, bytes);
  EXPECT_FALSE(Accessible(bytes + kPage, false));
  munmap(bytes, kPage);
}

TEST(Memory, DontneedGivesZeroesBack) {
  char* memory = Map(8 * kPage);
  ASSERT_NE(memory, nullptr);
  memset(memory, 1, 8 * kPage);
  ASSERT_EQ(madvise(memory + kPage, 2 * kPage, MADV_DONTNEED), 0);
  EXPECT_EQ(memory[0], 1);
  EXPECT_EQ(memory[kPage], 0);
  EXPECT_EQ(memory[3 * kPage - 1], 0);
  EXPECT_EQ(memory[3 * kPage], 1);
  munmap(memory, 8 * kPage);
}

TEST(Memory, FixedReplacesAndNoReplaceRefuses) {
  char* memory = Map(4 * kPage);
  ASSERT_NE(memory, nullptr);
  memset(memory, 1, 4 * kPage);
  void* fixed = mmap(memory + kPage, kPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  ASSERT_EQ(fixed, memory + kPage);
  EXPECT_EQ(memory[kPage], 0);
  EXPECT_EQ(memory[0], 1);
  constexpr int kFixedNoReplace = 0x100000;
  EXPECT_EQ(mmap(memory, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | kFixedNoReplace, -1, 0),
            MAP_FAILED);
  EXPECT_EQ(errno, EEXIST);
  munmap(memory, 4 * kPage);
}

TEST(Memory, GuardPageOfAStack) {
  std::thread([] {
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    void* stack;
    size_t size;
    ASSERT_EQ(pthread_attr_getstack(&attributes, &stack, &size), 0);
    EXPECT_TRUE(Accessible(static_cast<char*>(stack), true));
    EXPECT_FALSE(Accessible(static_cast<char*>(stack) - 1, false));
    pthread_attr_destroy(&attributes);
  }).join();
}

TEST(Memory, RunningOutIsEnomem) {
  EXPECT_EQ(
      mmap(nullptr, size_t{1} << 47, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      MAP_FAILED);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(Memory, RandomOperationsKeepContents) {
  struct Region {
    char* memory;
    size_t pages;
    char mark;
  };
  std::vector<Region> regions;
  std::mt19937 random(7);
  for (int step = 0; step < 4000; ++step) {
    if (regions.size() < 40 && random() % 2 == 0) {
      const size_t pages = 1 + random() % 64;
      char* memory = Map(pages * kPage);
      ASSERT_NE(memory, nullptr);
      ASSERT_EQ(memory[pages * kPage - 1], 0);
      const char mark = static_cast<char>(1 + random() % 100);
      memset(memory, mark, pages * kPage);
      regions.push_back({memory, pages, mark});
    } else if (!regions.empty()) {
      const size_t index = random() % regions.size();
      Region& region = regions[index];
      for (size_t page = 0; page < region.pages; ++page) {
        ASSERT_EQ(region.memory[page * kPage + 17], region.mark);
      }
      if (region.pages > 2 && random() % 3 == 0) {
        ASSERT_EQ(munmap(region.memory + (region.pages - 1) * kPage, kPage), 0);
        --region.pages;
      } else {
        ASSERT_EQ(munmap(region.memory, region.pages * kPage), 0);
        region = regions.back();
        regions.pop_back();
      }
    }
  }
  for (const Region& region : regions) {
    munmap(region.memory, region.pages * kPage);
  }
}

}  // namespace
