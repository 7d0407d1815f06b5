// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/kernel_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "libos/kernel/testing/fake_gate.h"
#include "libos/mm/commit_map.h"
#include "libos/mm/space_limit.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = uint64_t{1} << 20;

class KernelHeapTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    range_ = new testing::FakeRange(512 * kMiB);
    Space().Init(range_->begin(), range_->end());
  }
  static testing::FakeRange* range_;
};
testing::FakeRange* KernelHeapTest::range_ = nullptr;

TEST_F(KernelHeapTest, ObjectsDoNotOverlapAndKeepTheirContents) {
  struct Object {
    char* memory;
    size_t size;
    char mark;
  };
  std::vector<Object> objects;
  std::mt19937 random(3);
  for (int step = 0; step < 40'000; ++step) {
    if (objects.size() < 2000 && random() % 5 < 3) {
      const size_t size = 1 + random() % (random() % 50 == 0 ? 100'000 : 900);
      char* memory = static_cast<char*>(KernelAllocate(size));
      ASSERT_NE(memory, nullptr);
      EXPECT_EQ(reinterpret_cast<uint64_t>(memory) % (size >= 64 ? 64 : 16), 0u);
      const char mark = static_cast<char>(random());
      memset(memory, mark, size);
      objects.push_back({memory, size, mark});
    } else if (!objects.empty()) {
      const size_t index = random() % objects.size();
      const Object object = objects[index];
      for (size_t i = 0; i < object.size; i += 7) {
        ASSERT_EQ(object.memory[i], object.mark);
      }
      KernelFree(object.memory);
      objects[index] = objects.back();
      objects.pop_back();
    }
  }
  for (const Object& object : objects) {
    KernelFree(object.memory);
  }
  KernelFree(nullptr);
}

TEST_F(KernelHeapTest, PagesAreZeroWhenAskedFor) {
  for (int round = 0; round < 100; ++round) {
    const size_t count = 1 + static_cast<size_t>(round) % 40;
    std::byte* pages = KernelAllocatePages(count, PageContents::kZero);
    ASSERT_NE(pages, nullptr);
    for (size_t i = 0; i < count * kPage; i += 512) {
      ASSERT_EQ(pages[i], std::byte{0});
    }
    memset(pages, 0xee, count * kPage);
    // In two parts.
    KernelFreePages(pages, count / 2 + 1);
    if (count > count / 2 + 1) {
      KernelFreePages(pages + (count / 2 + 1) * kPage, count - count / 2 - 1);
    }
  }
}

TEST_F(KernelHeapTest, LongRunsComeAndGo) {
  const KernelHeapStats before = GetKernelHeapStats();
  std::byte* run = KernelAllocatePages(5000, PageContents::kZero);
  ASSERT_NE(run, nullptr);
  memset(run, 1, 5000 * kPage);
  EXPECT_GE(GetKernelHeapStats().used_bytes - before.used_bytes, 5000 * kPage);
  KernelFreePages(run, 5000);
  EXPECT_EQ(GetKernelHeapStats().used_bytes, before.used_bytes);
  EXPECT_EQ(GetKernelHeapStats().committed_bytes, before.committed_bytes);
  // The same addresses serve again, and are zero.
  std::byte* again = KernelAllocatePages(5000, PageContents::kZero);
  EXPECT_EQ(again, run);
  EXPECT_EQ(again[12345], std::byte{0});
  KernelFreePages(again, 5000);
}

TEST_F(KernelHeapTest, EmptyMemoryIsGivenBack) {
  const KernelHeapStats before = GetKernelHeapStats();
  std::vector<std::byte*> pages;
  for (int i = 0; i < 20'000; ++i) {
    pages.push_back(KernelAllocatePages(1, PageContents::kAny));
    ASSERT_NE(pages.back(), nullptr);
  }
  for (std::byte* page : pages) {
    KernelFreePages(page, 1);
  }
  EXPECT_EQ(GetKernelHeapStats().used_bytes, before.used_bytes);
  EXPECT_LE(GetKernelHeapStats().committed_bytes, before.committed_bytes + 10 * kMiB);
}

TEST_F(KernelHeapTest, OutOfMemoryIsNull) {
  testing::LimitCommittedPages(testing::gate_counts().committed_pages + 1024);
  std::vector<void*> objects;
  while (void* object = KernelAllocate(4000)) {
    objects.push_back(object);
    ASSERT_LT(objects.size(), 10'000u);
  }
  EXPECT_EQ(KernelAllocatePages(4096, PageContents::kAny), nullptr);
  testing::LimitCommittedPages(~uint64_t{0});
  for (void* object : objects) {
    KernelFree(object);
  }
  void* object = KernelAllocate(4000);
  EXPECT_NE(object, nullptr);
  KernelFree(object);
}

TEST_F(KernelHeapTest, CommitMapAgreesWithAVector) {
  auto map = std::make_unique<CommitMap>();
  constexpr uint64_t kBase = uint64_t{1} << 40;
  constexpr uint64_t kFirst = kBase + (uint64_t{1} << 30) - 300 * kPage;  // over a table's border
  constexpr uint64_t kPages = 700;
  map->Init(kBase);
  ASSERT_TRUE(map->Reserve(kFirst, kFirst + kPages * kPage).ok());
  std::vector<bool> model(kPages, false);
  std::mt19937 random(5);
  for (int step = 0; step < 5000; ++step) {
    const uint64_t begin = random() % kPages;
    const uint64_t end = begin + 1 + random() % (kPages - begin);
    const bool committed = random() % 2 == 0;
    if (random() % 2 == 0) {
      map->Set(kFirst + begin * kPage, kFirst + end * kPage, committed);
      std::fill(model.begin() + static_cast<ptrdiff_t>(begin),
                model.begin() + static_cast<ptrdiff_t>(end), committed);
    }
    uint64_t run = begin;
    while (run < end && model[run] == model[begin]) {
      ++run;
    }
    bool found;
    ASSERT_EQ(map->RunEnd(kFirst + begin * kPage, kFirst + end * kPage, &found),
              kFirst + run * kPage);
    ASSERT_EQ(found, model[begin]);
    ASSERT_EQ(map->IsCommitted(kFirst + begin * kPage + 5), model[begin]);
  }
}

}  // namespace
}  // namespace nsgx::libos
