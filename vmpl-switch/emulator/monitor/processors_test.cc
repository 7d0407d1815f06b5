// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/processors.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "vmpl-switch/emulator/monitor/fake_hardware.h"
#include "vmpl-switch/emulator/monitor/nested_tables.h"
#include "vmpl-switch/emulator/monitor/no_hardware.h"
#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr unsigned kCount = 3;
constexpr Page kFirst = 600;
constexpr uint64_t kPages = 32;

// NMIs between threads: each is one processor. One stays pending until its processor runs a guest
// or sleeps.
class ThreadedHardware final : public NoHardware {
 public:
  static thread_local unsigned self;
  // Processors whom only NMIs to all reach.
  std::array<std::atomic<bool>, kMaxProcessors> loses_nmi = {};

  bool TakeNmi() override { return taken_[self].exchange(false); }
  void SendNmi(unsigned processor) override {
    if (!loses_nmi[processor].load()) {
      pending_[processor].store(true);
    }
  }
  void SendNmiToOthers() override {
    for (unsigned i = 0; i < kCount; ++i) {
      if (i != self) {
        pending_[i].store(true);
      }
    }
  }
  void WaitForNmi() override {
    while (!LetIn()) {
      std::this_thread::yield();
    }
  }
  void Pause() override { __builtin_ia32_pause(); }

  // The guest has to exit. Returns whether one came.
  bool LetIn() {
    if (!pending_[self].exchange(false)) {
      return false;
    }
    taken_[self].store(true);
    return true;
  }

 private:
  std::array<std::atomic<bool>, kMaxProcessors> pending_ = {};
  std::array<std::atomic<bool>, kMaxProcessors> taken_ = {};
};
thread_local unsigned ThreadedHardware::self = 0;

class ProcessorsTest : public testing::Test {
 protected:
  ProcessorsTest() : tables(machine.rmp), processors(kCount, hardware) {
    tables.Initialize(0, *memory, false);
    tables.RefreshAll();
    machine.rmp.SetObserver(&tables);
    tables.SetRevoker(processors);
  }

  // Starts one thread for each processor and waits for all.
  template <typename Body>
  void RunAll(Body body) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kCount; ++i) {
      threads.emplace_back([i, body] {
        ThreadedHardware::self = i;
        body(i);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  PageAccess SharedInTables(Page page) const {
    const uint64_t& leaf = memory->views[static_cast<size_t>(View::kShared)].leaves[page];
    return NestedTables::AccessOf(__atomic_load_n(&leaf, __ATOMIC_ACQUIRE));
  }

  TestMachine machine;
  std::unique_ptr<VmplTables> memory = std::make_unique<VmplTables>();
  NestedTables tables;
  ThreadedHardware hardware;
  Processors processors;
};

// Guests remember translations for as long as they run. Whatever others do, and in whichever order,
// none uses one that was taken away before the change was complete.
TEST_F(ProcessorsTest, TakesPagesFromAllBeforeAChangeIsComplete) {
  constexpr int kRounds = 100;
  // Odd: private, and whoever made it so has returned from it.
  std::array<std::atomic<uint64_t>, kPages> epochs = {};
  std::atomic<uint64_t> reached = 0;
  std::atomic<uint64_t> too_late = 0;
  RunAll([&](unsigned self) {
    TestRandom random(self + 1);
    processors.Lock(self);
    for (int round = 0; round < kRounds; ++round) {
      const uint64_t changed = random.Below(kPages);
      const Page page = kFirst + changed;
      if (machine.rmp.entry(page).is_assigned) {
        epochs[changed].fetch_add(1);
        ASSERT_TRUE(machine.rmp.Share(page, 1).ok());
      } else {
        ASSERT_TRUE(machine.rmp.Assign(page, 1, false).ok());
        epochs[changed].fetch_add(1);
      }
      processors.LeaveForGuest(self, false);
      std::array<bool, kPages> remembered = {};
      const uint64_t steps = random.Below(64);
      for (uint64_t step = 0; step < steps && !hardware.LetIn(); ++step) {
        const uint64_t index = random.Below(kPages);
        const uint64_t epoch = epochs[index].load();
        remembered[index] = remembered[index] || SharedInTables(kFirst + index).can_read;
        if (random.OneIn(16)) {
          std::this_thread::yield();
        }
        if (remembered[index]) {
          ++reached;
          too_late += epoch % 2 == 1 && epochs[index].load() == epoch ? 1 : 0;
        }
      }
      processors.ReturnFromGuest(self);
      // Nobody else sends any here.
      EXPECT_FALSE(processors.TakeGuestNmi(self));
    }
    processors.Unlock();
  });
  EXPECT_EQ(too_late.load(), 0u);
  EXPECT_GT(reached.load(), 0u);
  EXPECT_GT(processors.counters().interruptions, 0u);
}

TEST_F(ProcessorsTest, TellsItsOwnNmisFromTheGuests) {
  FakeHardware one;
  Processors pair(2, one);
  pair.Lock(1);
  pair.LeaveForGuest(1, false);
  // As an NMI that ends the run of a guest.
  one.nmi = true;
  pair.ReturnFromGuest(1);
  EXPECT_TRUE(pair.TakeGuestNmi(1));
  EXPECT_FALSE(pair.TakeGuestNmi(1));
  pair.Release(0);
  one.nmi = true;
  EXPECT_FALSE(pair.TakeGuestNmi(0));
  one.nmi = true;
  EXPECT_TRUE(pair.TakeGuestNmi(0));
  pair.Unlock();
}

TEST_F(ProcessorsTest, SendsNoSecondNmiBeforeTheFirstWasTaken) {
  FakeHardware one;
  Processors pair(2, one);
  pair.Lock(0);
  pair.Release(1);
  pair.Release(1);
  EXPECT_EQ(one.nmis, std::vector<unsigned>{1});
  one.nmi = true;
  EXPECT_FALSE(pair.TakeGuestNmi(1));
  pair.Release(1);
  EXPECT_EQ(one.nmis, (std::vector<unsigned>{1, 1}));
  pair.Unlock();
}

TEST_F(ProcessorsTest, SendsAgainWhatHasNotArrived) {
  std::atomic<unsigned> in_guest = 0;
  std::atomic<bool> was_stopped = false;
  RunAll([&](unsigned self) {
    processors.Lock(self);
    if (self != 0) {
      hardware.loses_nmi[self].store(true);
      processors.LeaveForGuest(self, true);
      ++in_guest;
      while (!hardware.LetIn()) {
        std::this_thread::yield();
      }
      hardware.loses_nmi[self].store(false);
      processors.ReturnFromGuest(self);
      EXPECT_TRUE(was_stopped.load());
      EXPECT_FALSE(processors.TakeGuestNmi(self));
    } else {
      while (in_guest.load() != kCount - 1) {
        processors.Unlock();
        std::this_thread::yield();
        processors.Lock(0);
      }
      processors.StopOthers();
      was_stopped.store(true);
    }
    processors.Unlock();
  });
  EXPECT_GT(processors.counters().interruptions_again, 0u);
}

TEST_F(ProcessorsTest, LeavesThoseAloneWhoRunNoGuest) {
  FakeHardware one;
  Processors pair(2, one);
  pair.Lock(0);
  pair.StopOthers();
  EXPECT_TRUE(one.nmis.empty());
  pair.Unlock();
}

TEST_F(ProcessorsTest, WakesAndEndsWhoeverSleeps) {
  std::atomic<unsigned> released = 0;
  RunAll([&](unsigned self) {
    processors.Lock(self);
    if (self == 0) {
      EXPECT_TRUE(processors.AllOthersAreHeld(0));
      processors.Release(1);
      EXPECT_FALSE(processors.AllOthersAreHeld(0));
      while (released.load() == 0) {
        processors.Unlock();
        std::this_thread::yield();
        processors.Lock(0);
      }
      processors.EndMachine({.kind = End::Kind::kHalted, .vmpl = 1});
      processors.EndMachine({.kind = End::Kind::kMonitor, .vmpl = 2});
    } else {
      while (processors.At(self).is_held && !processors.end().has_value()) {
        processors.Sleep(self);
        EXPECT_FALSE(processors.TakeGuestNmi(self));
      }
      released += processors.At(self).is_held ? 0 : 1;
    }
    processors.Unlock();
  });
  EXPECT_EQ(released.load(), 1u);
  EXPECT_EQ(processors.end()->kind, End::Kind::kHalted);
}

}  // namespace
}  // namespace nsgx::emu
