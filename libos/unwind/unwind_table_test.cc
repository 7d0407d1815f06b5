// SPDX-License-Identifier: Apache-2.0
// The tables of this test program itself are walked, so what is right can be asked of the compiler.
#include "libos/unwind/unwind_table.h"

#include <elf.h>
#include <link.h>

#include <cstring>
#include <vector>

#include "gtest/gtest.h"

namespace nsgx::libos {
namespace {

struct Place {
  std::vector<std::byte> segment;
  uint64_t address = 0;
  uint64_t header_offset = 0;
};

// What lies between the compiler's variables is nobody's, as a sanitizer sees it, and read here on
// purpose.
[[gnu::no_sanitize_address]] void CopyBytes(uint64_t from, std::byte* to, size_t size) {
  const auto* bytes = reinterpret_cast<const volatile std::byte*>(from);
  for (size_t i = 0; i < size; ++i) {
    to[i] = bytes[i];
  }
}

int FindPlace(dl_phdr_info* info, size_t, void* context) {
  Place& place = *static_cast<Place*>(context);
  uint64_t header = 0;
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) {
      header = info->dlpi_phdr[i].p_vaddr;
    }
  }
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && header >= segment.p_vaddr &&
        header - segment.p_vaddr < segment.p_memsz) {
      place.address = info->dlpi_addr + segment.p_vaddr;
      place.segment.resize(segment.p_memsz);
      CopyBytes(place.address, place.segment.data(), segment.p_memsz);
      place.header_offset = header - segment.p_vaddr;
    }
  }
  return 1;  // the first one is the program itself
}

Place OwnTables() {
  Place place;
  dl_iterate_phdr(&FindPlace, &place);
  return place;
}

std::optional<UnwindTable> Open(const Place& place) {
  return UnwindTable::Open(place.segment, place.address, place.header_offset);
}

bool ReadWord(uint64_t address, uint64_t* word) {
  CopyBytes(address, reinterpret_cast<std::byte*>(word), sizeof *word);
  return true;
}

bool ReadNothing(uint64_t, uint64_t*) { return false; }

// The registers that matter for a walk, at a place in the middle of the caller.
#define CAPTURE(registers)         \
  asm volatile(                    \
      "leaq 0(%%rip), %%rax\n\t"   \
      "movq %%rax, 128(%0)\n\t"    \
      "movq %%rbx, 24(%0)\n\t"     \
      "movq %%rbp, 48(%0)\n\t"     \
      "movq %%rsp, 56(%0)\n\t"     \
      "movq %%r12, 96(%0)\n\t"     \
      "movq %%r13, 104(%0)\n\t"    \
      "movq %%r14, 112(%0)\n\t"    \
      "movq %%r15, 120(%0)\n\t"    \
      :                            \
      : "r"(&(registers).value[0]) \
      : "rax", "memory")

struct Walk {
  std::vector<uint64_t> callers;
  std::vector<uint64_t> expected;
};

[[gnu::noinline]] void WalkFrom(const UnwindTable& table, Walk& walk) {
  UnwindRegisters registers;
  CAPTURE(registers);
  walk.expected.push_back(reinterpret_cast<uint64_t>(__builtin_return_address(0)));
  bool is_call = false;
  while (walk.callers.size() < 64 && table.Step(registers, is_call, &ReadWord)) {
    walk.callers.push_back(registers.rip());
    is_call = true;
  }
}

// Frames of other shapes: large, and of a size known at run time only.
[[gnu::noinline]] void WithLargeFrame(const UnwindTable& table, Walk& walk) {
  volatile char large[3000];
  large[0] = 1;
  walk.expected.insert(walk.expected.begin(),
                       reinterpret_cast<uint64_t>(__builtin_return_address(0)));
  WalkFrom(table, walk);
  large[1] = large[0];
}

[[gnu::noinline]] void WithFrameOfAnySize(const UnwindTable& table, Walk& walk, size_t size) {
  volatile char* any = static_cast<volatile char*>(__builtin_alloca(size));
  any[0] = 1;
  walk.expected.insert(walk.expected.begin(),
                       reinterpret_cast<uint64_t>(__builtin_return_address(0)));
  WithLargeFrame(table, walk);
  any[size - 1] = any[0];
}

TEST(UnwindTable, FindsTheCallers) {
  const Place place = OwnTables();
  const auto table = Open(place);
  ASSERT_TRUE(table.has_value());
  Walk walk;
  WithFrameOfAnySize(*table, walk, 100 + place.segment.size() % 7);
  // WalkFrom's caller, its caller, and that one's, which is this test.
  ASSERT_GE(walk.callers.size(), 3u);
  EXPECT_EQ(walk.callers[0], walk.expected[2]);
  EXPECT_EQ(walk.callers[1], walk.expected[0]);
  EXPECT_EQ(walk.callers[2], walk.expected[1]);
}

TEST(UnwindTable, EndsWhereTheStackCannotBeRead) {
  const Place place = OwnTables();
  const auto table = Open(place);
  ASSERT_TRUE(table.has_value());
  UnwindRegisters registers;
  CAPTURE(registers);
  const UnwindRegisters before = registers;
  EXPECT_FALSE(table->Step(registers, false, &ReadNothing));
  EXPECT_EQ(memcmp(&registers, &before, sizeof before), 0);
}

TEST(UnwindTable, KnowsNoFunctionOutsideOfTheProgram) {
  const Place place = OwnTables();
  const auto table = Open(place);
  ASSERT_TRUE(table.has_value());
  for (const uint64_t rip : {uint64_t{0}, uint64_t{1}, place.address - 1, ~uint64_t{0}}) {
    UnwindRegisters registers;
    registers.value[UnwindRegisters::kRip] = rip;
    EXPECT_FALSE(table->Step(registers, false, &ReadWord)) << rip;
    EXPECT_FALSE(table->Step(registers, true, &ReadWord)) << rip;
  }
}

TEST(UnwindTable, RefusesAHeaderOfAnotherForm) {
  const Place place = OwnTables();
  for (size_t byte = 0; byte < 4; ++byte) {
    Place other = place;
    other.segment[place.header_offset + byte] ^= std::byte{0x40};
    EXPECT_FALSE(Open(other).has_value()) << byte;
  }
  EXPECT_FALSE(UnwindTable::Open(place.segment, place.address, place.segment.size()).has_value());
  EXPECT_FALSE(
      UnwindTable::Open(place.segment, place.address, place.segment.size() + 1).has_value());
  EXPECT_FALSE(UnwindTable::Open({}, place.address, 0).has_value());
}

// A program can have overwritten nothing of this, but a report of a crash must not crash.
TEST(UnwindTable, SurvivesDamage) {
  const Place place = OwnTables();
  UnwindRegisters registers;
  CAPTURE(registers);
  uint64_t random = 1;
  for (int round = 0; round < 3000; ++round) {
    Place damaged;
    damaged.address = place.address;
    damaged.header_offset = place.header_offset;
    damaged.segment = place.segment;
    for (int i = 0; i < 400; ++i) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      damaged.segment[(random >> 16) % damaged.segment.size()] = std::byte(random >> 56);
    }
    const auto table = Open(damaged);
    UnwindRegisters walked = registers;
    if (table.has_value()) {
      table->Step(walked, false, [](uint64_t address, uint64_t* word) {
        *word = address * 3;
        return true;
      });
    }
    if (round > 50 && place.segment.size() > (4u << 20)) {
      break;  // a large test program
    }
  }
}

}  // namespace
}  // namespace nsgx::libos
