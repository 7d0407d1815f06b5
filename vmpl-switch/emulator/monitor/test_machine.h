// SPDX-License-Identifier: Apache-2.0
// A small machine for tests of the monitor's model: RAM, RMP, and a guest with page tables.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "vmpl-switch/emulator/monitor/guest_space.h"
#include "vmpl-switch/emulator/monitor/memory.h"
#include "vmpl-switch/emulator/monitor/rmp.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

// How a test's guest maps a page.
struct TestMapping {
  bool is_private = true;
  bool writable = true;
  bool user = false;
  bool no_execute = false;
};

class TestMachine {
 public:
  static constexpr Page kPages = 4096;  // 16 MiB
  static constexpr uint64_t kPagesPerLarge = kLargePageSize / kPageSize;

  TestMachine()
      : ram_(static_cast<std::byte*>(std::aligned_alloc(kLargePageSize, kPages * kPageSize))),
        memory(reinterpret_cast<uintptr_t>(ram_), kPages * kPageSize),
        entries_(kPages),
        rmp(memory, entries_) {
    std::memset(ram_, 0, kPages * kPageSize);
    save.cr0 = kCr0Paging | kCr0Protection | kCr0WriteProtect;
    save.cr4 = kCr4Pae;
    save.efer = kEferLongEnable | kEferLongActive | kEferNoExecute | SNP_EFER_SVME;
    save.cs = {.selector = 8, .attributes = 0xa9b, .limit = 0xffffffff, .base = 0};
    save.rflags = 2;
    root_ = NewTable();
    save.cr3 = AddressOf(root_).raw() | kEncryptionBit;
  }
  ~TestMachine() { std::free(ram_); }
  TestMachine(const TestMachine&) = delete;
  TestMachine& operator=(const TestMachine&) = delete;

  // Makes pages private and validated.
  void MakePrivate(Page first, uint64_t count = 1) {
    for (Page page = first; page < first + count; ++page) {
      rmp.AssignAtLaunch(page).value();
    }
  }

  // Maps one page of 4 KiB, or of 2 MiB, in the guest's tables.
  void Map(uint64_t linear, Page page, const TestMapping& mapping = {}) {
    Entry(linear, 0) = Leaf(page, mapping);
  }
  void MapLarge(uint64_t linear, Page page, const TestMapping& mapping = {}) {
    Entry(linear, 1) = Leaf(page, mapping) | 0x80;
  }

  // Returns the entry for `linear` in the table of `level` (0: pages of 4 KiB); makes the tables
  // above it.
  uint64_t& Entry(uint64_t linear, int level) {
    Page table = root_;
    for (int i = 3; i > level; --i) {
      uint64_t& entry = reinterpret_cast<uint64_t*>(memory.At(table))[Index(linear, i)];
      if (entry == 0) {
        entry = AddressOf(NewTable()).raw() | kEncryptionBit | 7;
      }
      table = (entry & ~kEncryptionBit & 0x000ffffffffff000) >> kPageShift;
    }
    return reinterpret_cast<uint64_t*>(memory.At(table))[Index(linear, level)];
  }

  GuestSpace Space(unsigned vmpl = 0) { return GuestSpace(memory, rmp, vmpl, save); }

 private:
  static size_t Index(uint64_t linear, int level) { return linear >> (12 + 9 * level) & 511; }
  static uint64_t Leaf(Page page, const TestMapping& mapping) {
    return AddressOf(page).raw() | 1 | (mapping.writable ? 2 : 0) | (mapping.user ? 4 : 0) |
           (mapping.is_private ? kEncryptionBit : 0) | (mapping.no_execute ? uint64_t{1} << 63 : 0);
  }
  // Tables come from the end of RAM.
  Page NewTable() {
    MakePrivate(--next_table_);
    return next_table_;
  }

  std::byte* ram_;

 public:
  GuestMemory memory;

 private:
  std::vector<RmpEntry> entries_;
  Page next_table_ = kPages;
  Page root_ = 0;

 public:
  Rmp rmp;
  VmcbSave save = {};
};

// A generator of which a failing test can name the seed.
class TestRandom {
 public:
  explicit TestRandom(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  // Returns a number below `end`.
  uint64_t Below(uint64_t end) { return (Next() >> 11) % end; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace nsgx::emu
