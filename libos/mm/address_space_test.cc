// SPDX-License-Identifier: Apache-2.0
// The address space on memory of this process: after every step the pages must be what a simple
// model says, down to contents and rights.
#include "libos/mm/address_space.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "libos/kernel/testing/fake_gate.h"
#include "libos/kernel/user_access.h"
#include "libos/mm/kernel_heap.h"
#include "libos/mm/stack_cache.h"

namespace nsgx::libos {

// No files in these tests but one that they make themselves.
namespace {
MappedFile* file_to_open = nullptr;
}
Result<MappedFile*, Errno> OpenForMapping(int32_t, bool) {
  if (file_to_open == nullptr) {
    return Error(Errno::kEBADF);
  }
  return file_to_open;
}

namespace {

using gate::Rights;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kRange = 1024 * kMiB;

char* At(uint64_t address) { return reinterpret_cast<char*>(address); }

// The library OS's heap and address space are singletons, so all tests share one range.
class AddressSpaceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    range_ = new testing::FakeRange(kRange);
    SetUserRange(0, ~uint64_t{0});
    Memory().Init(range_->begin(), range_->begin(), range_->end());
  }

  uint64_t Map(uint64_t size, Rights rights = Rights::kReadWrite) {
    MapRequest request;
    request.size = size;
    request.rights = rights;
    auto mapped = Memory().Map(request);
    return mapped.ok() ? mapped.value() : 0;
  }
  // As a program that touches it.
  bool Touch(uint64_t address, Access access) {
    const auto can = access == Access::kWrite ? &testing::IsWritable : &testing::IsReadable;
    if (can(address)) {
      return true;
    }
    return Memory().ResolveFault(address, access) == FaultResult::kResolved && can(address);
  }

  static testing::FakeRange* range_;
};
testing::FakeRange* AddressSpaceTest::range_ = nullptr;

TEST_F(AddressSpaceTest, SmallMappingsMakeFewCalls) {
  Memory().Unmap(Map(kPage), kPage).value();
  const testing::GateCounts before = testing::gate_counts();
  std::vector<uint64_t> mapped;
  for (int i = 0; i < 100; ++i) {
    mapped.push_back(Map(4 * kPage));
    ASSERT_NE(mapped.back(), 0u);
    *At(mapped.back()) = 'x';
  }
  const testing::GateCounts after = testing::gate_counts();
  EXPECT_LE(after.commits - before.commits, 2u);
  EXPECT_EQ(after.protects, before.protects);
  for (const uint64_t address : mapped) {
    Memory().Unmap(address, 4 * kPage).value();
    EXPECT_FALSE(testing::IsReadable(address));
  }
  // They come back empty.
  for (uint64_t& address : mapped) {
    address = Map(4 * kPage);
    EXPECT_EQ(*At(address), 0);
  }
  for (const uint64_t address : mapped) {
    Memory().Unmap(address, 4 * kPage).value();
  }
}

TEST_F(AddressSpaceTest, LargeMappingsGetMemoryAsTheyAreTouched) {
  const uint64_t before = testing::gate_counts().committed_pages;
  const uint64_t address = Map(256 * kMiB);
  ASSERT_NE(address, 0u);
  EXPECT_LT(testing::gate_counts().committed_pages - before, 64u);
  ASSERT_TRUE(Touch(address + 100 * kMiB + 5, Access::kWrite));
  *At(address + 100 * kMiB + 5) = 1;
  EXPECT_LE(testing::gate_counts().committed_pages - before, 512u + 64u);
  Memory().Unmap(address, 256 * kMiB).value();
  EXPECT_LE(testing::gate_counts().committed_pages - before, 64u);
}

TEST_F(AddressSpaceTest, FaultsAreToldApart) {
  const uint64_t read_only = Map(kPage, Rights::kRead);
  const uint64_t nothing = Map(kPage, Rights::kNone);
  EXPECT_EQ(Memory().ResolveFault(read_only, Access::kRead), FaultResult::kResolved);
  EXPECT_EQ(Memory().ResolveFault(read_only, Access::kWrite), FaultResult::kNotPermitted);
  EXPECT_EQ(Memory().ResolveFault(read_only, Access::kExecute), FaultResult::kNotPermitted);
  EXPECT_EQ(Memory().ResolveFault(nothing, Access::kRead), FaultResult::kNotPermitted);
  EXPECT_EQ(Memory().ResolveFault(0x10, Access::kRead), FaultResult::kNotMapped);
  EXPECT_EQ(Memory().ResolveFault(range_->end() + kPage, Access::kRead), FaultResult::kNotMapped);
  Memory().Unmap(read_only, kPage).value();
  EXPECT_EQ(Memory().ResolveFault(read_only, Access::kRead), FaultResult::kNotMapped);
  EXPECT_FALSE(testing::IsReadable(read_only) && testing::IsExecutable(read_only));
  Memory().Unmap(nothing, kPage).value();
}

TEST_F(AddressSpaceTest, OutOfMemorySaysSoAndChangesNothing) {
  const testing::GateCounts before = testing::gate_counts();
  testing::LimitCommittedPages(before.committed_pages);
  EXPECT_EQ(Map(2 * kMiB), 0u);
  const uint64_t lazy = Map(16 * kMiB);
  ASSERT_NE(lazy, 0u);
  EXPECT_EQ(Memory().ResolveFault(lazy, Access::kWrite), FaultResult::kOutOfMemory);
  testing::LimitCommittedPages(~uint64_t{0});
  EXPECT_TRUE(Touch(lazy, Access::kWrite));
  Memory().Unmap(lazy, 16 * kMiB).value();
  EXPECT_EQ(Map(2 * kRange), 0u);
}

TEST_F(AddressSpaceTest, BreakGrowsShrinksAndCanBeMappedOver) {
  const uint64_t start = Memory().Break(0);
  EXPECT_EQ(Memory().Break(start + 10 * kPage), start + 10 * kPage);
  memset(At(start), 'b', 10 * kPage);
  // A program may put a guard where the break would grow.
  MapRequest guard;
  guard.hint = start + 10 * kPage;
  guard.size = kPage;
  guard.placement = MapRequest::Placement::kFixed;
  EXPECT_EQ(Memory().Map(guard).value(), guard.hint);
  EXPECT_EQ(Memory().Break(start + 12 * kPage), start + 10 * kPage);
  Memory().Unmap(guard.hint, kPage).value();
  EXPECT_EQ(Memory().Break(start + kPage), start + kPage);
  EXPECT_EQ(Memory().Break(start + 3 * kPage), start + 3 * kPage);
  EXPECT_EQ(*At(start), 'b');
  EXPECT_EQ(*At(start + 2 * kPage), 0);
  EXPECT_EQ(Memory().Break(start), start);
  EXPECT_EQ(Memory().Break(start + kRange), start);
}

TEST_F(AddressSpaceTest, RemapKeepsContents) {
  const uint64_t address = Map(4 * kPage);
  memset(At(address), 'm', 4 * kPage);
  const uint64_t wall = Map(kPage);  // perhaps right behind
  auto moved = Memory().Remap({.address = address,
                               .old_size = 4 * kPage,
                               .new_size = 400 * kPage,
                               .may_move = true,
                               .is_fixed = false,
                               .keep_old = false,
                               .new_address = 0});
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(*At(moved.value() + 4 * kPage - 1), 'm');
  EXPECT_EQ(*At(moved.value() + 4 * kPage), 0);
  auto shrunk = Memory().Remap({.address = moved.value(),
                                .old_size = 400 * kPage,
                                .new_size = kPage,
                                .may_move = false,
                                .is_fixed = false,
                                .keep_old = false,
                                .new_address = 0});
  EXPECT_EQ(shrunk.value(), moved.value());
  EXPECT_EQ(Memory().ResolveFault(moved.value() + kPage, Access::kRead), FaultResult::kNotMapped);
  Memory().Unmap(moved.value(), kPage).value();
  Memory().Unmap(wall, kPage).value();
}

TEST_F(AddressSpaceTest, ThreadStacksAreKept) {
  auto stack = ThreadStacks().Take(35 * kPage);
  ASSERT_TRUE(stack.ok());
  EXPECT_TRUE(ThreadStacks().SetGuard(stack.value(), 2 * kPage).ok());
  const uint64_t base = stack.value().base;
  EXPECT_FALSE(testing::IsReadable(base + kPage));
  EXPECT_TRUE(testing::IsWritable(base + 2 * kPage));
  memset(At(base + 2 * kPage), 's', 33 * kPage);
  ThreadStacks().NoticeTop(stack.value(), base + 34 * kPage);
  ThreadStacks().Give(base, 35 * kPage).value();

  const testing::GateCounts before = testing::gate_counts();
  auto again = ThreadStacks().Take(35 * kPage);
  EXPECT_EQ(again.value().base, base);
  EXPECT_EQ(again.value().guard, 2 * kPage);
  EXPECT_EQ(*At(base + 34 * kPage), 0);        // the C library's part
  EXPECT_EQ(*At(base + 34 * kPage - 1), 's');  // the stack proper
  EXPECT_EQ(testing::gate_counts().protects, before.protects);
  EXPECT_TRUE(ThreadStacks().SetGuard(again.value(), 4 * kPage).ok());
  EXPECT_FALSE(testing::IsReadable(base + 3 * kPage));
  EXPECT_TRUE(ThreadStacks().SetGuard(again.value(), 0).ok());
  EXPECT_TRUE(testing::IsWritable(base));
  ThreadStacks().Give(base, 35 * kPage).value();
}

// A file in memory that counts its references.
class MemoryFile final : public MappedFile {
 public:
  explicit MemoryFile(std::string contents) : contents(std::move(contents)) {}
  Result<size_t, Errno> ReadForMapping(uint64_t offset, std::span<std::byte> out) override {
    if (offset >= contents.size()) {
      return size_t{0};
    }
    const size_t size = std::min(out.size(), contents.size() - offset);
    memcpy(out.data(), contents.data() + offset, size);
    return size;
  }
  Result<void, Errno> WriteBack(uint64_t offset, std::span<const std::byte> data) override {
    memcpy(contents.data() + offset, data.data(), data.size());
    return {};
  }
  void AddMappingReference() override { ++references; }
  void DropMappingReference() override { --references; }

  std::string contents;
  int references = 1;
};

TEST_F(AddressSpaceTest, FilesAreReadInAndWrittenBack) {
  MemoryFile file(std::string(kPage, 'a') + std::string(100, 'b'));
  MapRequest request;
  request.size = 2 * kPage;
  request.rights = Rights::kReadWrite;
  request.is_shared = true;
  request.file = &file;
  const uint64_t shared = Memory().Map(request).value();
  request.is_shared = false;
  request.rights = Rights::kRead;
  const uint64_t copy = Memory().Map(request).value();
  EXPECT_EQ(file.references, 3);
  EXPECT_EQ(*At(shared + kPage + 99), 'b');
  EXPECT_EQ(*At(shared + kPage + 100), 0);
  EXPECT_FALSE(testing::IsWritable(copy));

  *At(shared + 5) = 'X';
  *At(shared + kPage + 200) = 'Y';  // behind the end of the file
  Memory().Synchronize(shared, 2 * kPage).value();
  EXPECT_EQ(file.contents[5], 'X');
  EXPECT_EQ(file.contents.size(), kPage + 100);
  EXPECT_EQ(*At(copy + 5), 'a');

  *At(shared + 6) = 'W';
  Memory().SynchronizeAll();
  EXPECT_EQ(file.contents[6], 'W');

  *At(shared + kPage) = 'Z';
  Memory().Unmap(shared + kPage, kPage).value();
  EXPECT_EQ(file.contents[kPage], 'Z');
  Memory().Unmap(shared, kPage).value();
  Memory().Unmap(copy, 2 * kPage).value();
  EXPECT_EQ(file.references, 1);
}

// ---- random operations against a model --------------------------------------------------------

struct ModelPage {
  Rights rights;
  char mark;  // what the program wrote last; 0: nothing
};

class Model {
 public:
  std::map<uint64_t, ModelPage> pages;

  void Map(uint64_t address, uint64_t size, Rights rights) {
    for (uint64_t page = address; page < address + size; page += kPage) {
      pages[page] = {rights, 0};
    }
  }
  void Unmap(uint64_t address, uint64_t size) {
    pages.erase(pages.lower_bound(address), pages.lower_bound(address + size));
  }
  bool IsMapped(uint64_t address, uint64_t size) const {
    for (uint64_t page = address; page < address + size; page += kPage) {
      if (!pages.contains(page)) {
        return false;
      }
    }
    return true;
  }
};

TEST_F(AddressSpaceTest, RandomOperationsAgreeWithTheModel) {
  Model model;
  std::mt19937 random(11);
  const Rights kinds[] = {Rights::kReadWrite, Rights::kReadWrite, Rights::kReadWrite, Rights::kRead,
                          Rights::kNone};
  const auto pick_page = [&]() -> uint64_t {
    if (model.pages.empty()) {
      return 0;
    }
    auto it = model.pages.begin();
    std::advance(it, static_cast<ptrdiff_t>(random() % model.pages.size()));
    return it->first;
  };
  for (int step = 0; step < 6000; ++step) {
    const uint64_t size = kPage * (1 + random() % (random() % 8 == 0 ? 700 : 24));
    const uint64_t page = pick_page();
    switch (random() % 9) {
      case 0:
      case 1:
      case 2: {
        if (model.pages.size() > 6000) {
          break;
        }
        const Rights rights = kinds[random() % std::size(kinds)];
        const uint64_t address = Map(size, rights);
        ASSERT_NE(address, 0u);
        for (uint64_t each = address; each < address + size; each += kPage) {
          ASSERT_FALSE(model.pages.contains(each)) << "step " << step;
        }
        model.Map(address, size, rights);
        break;
      }
      case 3:
        if (page != 0) {
          ASSERT_TRUE(Memory().Unmap(page, size).ok());
          model.Unmap(page, size);
        }
        break;
      case 4:
        if (page != 0) {
          const Rights rights = kinds[random() % std::size(kinds)];
          auto result = Memory().Protect(page, size, rights);
          ASSERT_EQ(result.ok(), model.IsMapped(page, size)) << "step " << step;
          if (result.ok()) {
            for (uint64_t each = page; each < page + size; each += kPage) {
              model.pages[each].rights = rights;
            }
          }
        }
        break;
      case 5:
        if (page != 0 && random() % 4 == 0) {
          MapRequest request;
          request.hint = page;
          request.size = size;
          request.rights = kinds[random() % std::size(kinds)];
          request.placement = MapRequest::Placement::kFixed;
          auto mapped = Memory().Map(request);
          ASSERT_TRUE(mapped.ok());
          model.Unmap(page, size);
          model.Map(page, size, request.rights);
        }
        break;
      case 6:
        if (page != 0) {
          static_cast<void>(Memory().Discard(page, size).ok());
          for (uint64_t each = page; each < page + size; each += kPage) {
            if (model.pages.contains(each)) {
              model.pages[each].mark = 0;
            }
          }
        }
        break;
      default:
        // The program writes to a few pages.
        for (int i = 0; i < 16 && !model.pages.empty(); ++i) {
          const uint64_t target = pick_page();
          ModelPage& state = model.pages[target];
          const bool writable = Touch(target, Access::kWrite);
          ASSERT_EQ(writable, state.rights == Rights::kReadWrite) << "step " << step;
          if (writable) {
            state.mark = static_cast<char>(1 + random() % 100);
            memset(At(target), state.mark, kPage);
          }
        }
        break;
    }
    if (step % 50 != 0) {
      continue;
    }
    for (const auto& [address, state] : model.pages) {
      const bool readable = Touch(address, Access::kRead);
      ASSERT_EQ(readable, state.rights != Rights::kNone) << "step " << step;
      if (readable) {
        ASSERT_EQ(*At(address), state.mark) << "step " << step;
        ASSERT_EQ(*At(address + kPage - 1), state.mark) << "step " << step;
      }
      ASSERT_EQ(testing::IsWritable(address) && !readable, false);
    }
  }
  while (!model.pages.empty()) {
    const uint64_t page = model.pages.begin()->first;
    Memory().Unmap(page, kPage).value();
    model.Unmap(page, kPage);
  }
}

}  // namespace
}  // namespace nsgx::libos
