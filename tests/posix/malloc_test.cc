// SPDX-License-Identifier: Apache-2.0
// The malloc family with many threads, and what it keeps of their memory.
#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace {

struct Block {
  unsigned char* bytes = nullptr;
  size_t size = 0;
  bool is_from_new = false;  // with an alignment of 64
};

// Small sizes most, and some that are mappings of their own.
size_t RandomSize(std::mt19937& random) {
  return 1 + random() % (size_t{1} << (1 + random() % (random() % 8 == 0 ? 18 : 13)));
}

unsigned char Pattern(const Block& block) {
  return static_cast<unsigned char>((reinterpret_cast<uintptr_t>(block.bytes) >> 4) + block.size);
}

bool IsFilledWith(const unsigned char* bytes, size_t size, unsigned char value) {
  return size == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0);
}

void Fill(Block& block) { memset(block.bytes, Pattern(block), block.size); }

// By one function of the family. Says what is wrong with the block, if anything.
const char* Allocate(Block& block, std::mt19937& random) {
  size_t alignment = 16;
  block.size = RandomSize(random);
  block.is_from_new = false;
  switch (random() % 8) {
    case 0:
      block.bytes = static_cast<unsigned char*>(calloc(1, block.size));
      if (block.bytes != nullptr && !IsFilledWith(block.bytes, block.size, 0)) {
        return "calloc: not zero";
      }
      break;
    case 1:
      alignment = size_t{16} << random() % 9;
      block.bytes = static_cast<unsigned char*>(aligned_alloc(alignment, block.size));
      break;
    case 2: {
      alignment = size_t{8} << random() % 10;
      void* memory = nullptr;
      if (posix_memalign(&memory, alignment, block.size) != 0) {
        return "posix_memalign";
      }
      block.bytes = static_cast<unsigned char*>(memory);
      break;
    }
    case 3:
      alignment = 64;
      block.is_from_new = true;
      block.bytes = static_cast<unsigned char*>(operator new(block.size, std::align_val_t{64}));
      break;
    default:
      block.bytes = static_cast<unsigned char*>(malloc(block.size));
  }
  if (block.bytes == nullptr) {
    return "no memory";
  }
  if (reinterpret_cast<uintptr_t>(block.bytes) % alignment != 0) {
    return "not aligned";
  }
  if (malloc_usable_size(block.bytes) < block.size) {
    return "smaller than asked for";
  }
  Fill(block);
  return nullptr;
}

const char* Resize(Block& block, std::mt19937& random) {
  const unsigned char before = Pattern(block);
  const size_t size = RandomSize(random);
  auto* const bytes = static_cast<unsigned char*>(realloc(block.bytes, size));
  if (bytes == nullptr) {
    return "realloc: no memory";
  }
  const size_t kept = size < block.size ? size : block.size;
  block.bytes = bytes;
  block.size = size;
  if (!IsFilledWith(bytes, kept, before)) {
    return "realloc: other contents";
  }
  Fill(block);
  return nullptr;
}

const char* Free(Block& block) {
  if (block.bytes == nullptr) {
    return nullptr;
  }
  const bool is_good = IsFilledWith(block.bytes, block.size, Pattern(block));
  if (block.is_from_new) {
    operator delete(block.bytes, std::align_val_t{64});
  } else {
    free(block.bytes);
  }
  block = {};
  return is_good ? nullptr : "other contents";
}

TEST(Malloc, BlocksOfManyThreadsStayApart) {
  // Every thread gives a part of its blocks to others.
  struct alignas(64) Exchange {
    std::atomic_flag is_taken;
    Block block;
  };
  static std::array<Exchange, 16> exchanges;
  static std::atomic<const char*> complaint = nullptr;
  auto work = [](uint32_t seed) {
    std::mt19937 random(seed);
    std::array<Block, 100> blocks;
    auto note = [](const char* what) {
      if (what != nullptr) {
        complaint = what;
      }
    };
    for (int i = 0; i < 10'000 && complaint == nullptr; ++i) {
      Block& block = blocks[random() % blocks.size()];
      if (Exchange& exchange = exchanges[random() % exchanges.size()];
          i % 8 == 0 && !exchange.is_taken.test_and_set(std::memory_order_acquire)) {
        std::swap(exchange.block, block);
        exchange.is_taken.clear(std::memory_order_release);
      }
      if (block.bytes != nullptr && !block.is_from_new && random() % 4 == 0) {
        note(Resize(block, random));
      } else {
        note(Free(block));
        note(Allocate(block, random));
      }
    }
    for (Block& block : blocks) {
      note(Free(block));
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 8; ++i) {
    threads.emplace_back(work, i);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (Exchange& exchange : exchanges) {
    EXPECT_EQ(Free(exchange.block), nullptr);
  }
  EXPECT_STREQ(complaint.load(), nullptr);
}

size_t MappedMegabytes() {
  size_t pages = 0;
  FILE* const file = fopen("/proc/self/statm", "re");
  if (file != nullptr) {
    if (fscanf(file, "%zu", &pages) != 1) {
      pages = 0;
    }
    fclose(file);
  }
  return pages >> 8;
}

// Leaves as many blocks behind in what malloc keeps for the thread as it will keep.
void AllocateAndFree(size_t largest) {
  std::vector<void*> blocks;
  for (int round = 0; round < 4; ++round) {
    for (size_t size = 16; size <= largest; size += size / 2) {
      for (size_t i = 0; i < 40; ++i) {
        blocks.push_back(malloc(size));
      }
    }
    for (void* block : blocks) {
      free(block);
    }
    blocks.clear();
  }
}

TEST(Malloc, ThreadsThatEndGiveTheirMemoryBack) {
  auto run_threads = [](int count) {
    for (int i = 0; i < count; ++i) {
      std::thread(AllocateAndFree, 4096).join();
    }
  };
  run_threads(5);
  const size_t before = MappedMegabytes();
  ASSERT_GT(before, 0u);
  run_threads(200);  // that could keep 100 KiB each
  EXPECT_LE(MappedMegabytes(), before + 2);
}

TEST(Malloc, ThreadsThatStayKeepLittle) {
  constexpr int kThreads = 500;
  static std::atomic<int> finished = 0;
  static std::atomic<bool> may_end = false;
  const size_t before = MappedMegabytes();
  std::vector<pthread_t> threads(kThreads);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{32} << 10);
  for (pthread_t& thread : threads) {
    ASSERT_EQ(pthread_create(
                  &thread, &attributes,
                  [](void*) -> void* {
                    AllocateAndFree(4096);
                    ++finished;
                    finished.notify_all();
                    may_end.wait(false);
                    return nullptr;
                  },
                  nullptr),
              0);
  }
  for (int now = finished; now != kThreads; now = finished) {
    finished.wait(now);
  }
  // With the stacks. As many caches of a size that suits a few threads would be 200 MiB.
  EXPECT_LE(MappedMegabytes(), before + 100);
  may_end = true;
  may_end.notify_all();
  for (pthread_t& thread : threads) {
    pthread_join(thread, nullptr);
  }
  pthread_attr_destroy(&attributes);
}

TEST(Malloc, ImpossibleRequestsAreRefused) {
  volatile size_t huge = SIZE_MAX / 2;
  errno = 0;
  EXPECT_EQ(malloc(huge), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(calloc(huge, 4), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  void* const block = malloc(100);
  errno = 0;
  EXPECT_EQ(realloc(block, huge), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  free(block);
  volatile size_t alignment = 24;
  errno = 0;
  EXPECT_EQ(aligned_alloc(alignment, 48), nullptr);
  EXPECT_EQ(errno, EINVAL);
  void* memory = nullptr;
  EXPECT_EQ(posix_memalign(&memory, alignment, 48), EINVAL);
  EXPECT_THROW(static_cast<void>(operator new(huge)), std::bad_alloc);
}

TEST(Malloc, NothingIsABlockToo) {
  free(nullptr);
  void* const first = malloc(0);
  void* const second = malloc(0);
  EXPECT_NE(first, nullptr);
  EXPECT_NE(first, second);
  void* const third = realloc(nullptr, 10);
  EXPECT_NE(third, nullptr);
  free(first);
  free(second);
  free(third);
  errno = 5;
  free(malloc(1000));
  EXPECT_EQ(errno, 5);
}

}  // namespace
