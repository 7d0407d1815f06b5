// SPDX-License-Identifier: Apache-2.0
// Scheduler, waiting and futexes on vCPUs of this process. Each test is a process of its own: the
// library OS has no end.
#include "libos/kernel/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <vector>

#include "libos/kernel/clock.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/futex.h"
#include "libos/kernel/process.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/stream_wait.h"
#include "libos/kernel/testing/fake_cpu.h"

namespace nsgx::libos {
namespace {

using testing::RunWorld;
using testing::Spawn;
using Word = std::atomic<uint32_t>;

uint64_t AddressOf(const Word& word) { return reinterpret_cast<uint64_t>(&word); }

// A mutex and a counting barrier as a C library makes them of futexes.
class FutexMutex {
 public:
  void Lock() {
    uint32_t expected = 0;
    if (word_.compare_exchange_strong(expected, 1)) {
      return;
    }
    while (word_.exchange(2) != 0) {
      static_cast<void>(FutexWait(AddressOf(word_), 2, kFutexMatchAny, kForever).ok());
    }
  }
  void Unlock() {
    if (word_.exchange(0) == 2) {
      FutexWake(AddressOf(word_), 1);
    }
  }

 private:
  Word word_{0};
};

void WaitFor(Word& word, uint32_t value) {
  for (uint32_t now = word.load(); now != value; now = word.load()) {
    static_cast<void>(FutexWait(AddressOf(word), now, kFutexMatchAny, kForever).ok());
  }
}
void Count(Word& word) {
  word.fetch_add(1);
  FutexWake(AddressOf(word), ~uint32_t{0});
}

class WorldTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  WorldTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  void ExpectRuns(std::function<void()> body) {
    EXPECT_EXIT(RunWorld(GetParam(), std::move(body)), ::testing::ExitedWithCode(0), "");
  }
};

TEST_P(WorldTest, ThreadsRunAndAreJoined) {
  ExpectRuns([] {
    Word done{0};
    for (int i = 0; i < 200; ++i) {
      Spawn([&] { Count(done); });
    }
    WaitFor(done, 200);
    while (ThreadCount() != 1) {
      Yield();
    }
  });
}

TEST_P(WorldTest, BlocksAreUsedAgain) {
  ExpectRuns([] {
    for (uint32_t i = 0; i < 300; ++i) {
      Word done{0};
      Spawn([&] { Count(done); });
      WaitFor(done, 1);
    }
    REQUIRE(CurrentThread().tid == 1);
  });
}

TEST_P(WorldTest, FutexMutexExcludes) {
  ExpectRuns([] {
    FutexMutex mutex;
    uint64_t counter = 0;
    Word done{0};
    for (int i = 0; i < 6; ++i) {
      Spawn([&] {
        for (int round = 0; round < 300; ++round) {
          mutex.Lock();
          const uint64_t before = counter;
          if (round % 16 == 0) {
            Yield();
          }
          counter = before + 1;
          mutex.Unlock();
        }
        Count(done);
      });
    }
    WaitFor(done, 6);
    REQUIRE(counter == 1800);
  });
}

TEST_P(WorldTest, FutexTellsWhyItReturned) {
  ExpectRuns([] {
    Word word{5};
    REQUIRE(FutexWait(AddressOf(word), 6, kFutexMatchAny, kForever).error() == Errno::kEAGAIN);
    REQUIRE(FutexWait(AddressOf(word) + 1, 5, kFutexMatchAny, kForever).error() == Errno::kEINVAL);
    REQUIRE(FutexWait(AddressOf(word), 5, 0, kForever).error() == Errno::kEINVAL);
    REQUIRE(FutexWait(AddressOf(word), 5, kFutexMatchAny, 0).error() == Errno::kETIMEDOUT);
    const uint64_t start = MonotonicNow();
    REQUIRE(FutexWait(AddressOf(word), 5, kFutexMatchAny, start + 3'000'000).error() ==
            Errno::kETIMEDOUT);
    REQUIRE(MonotonicNow() >= start + 3'000'000);
    REQUIRE(FutexWake(AddressOf(word), 10) == 0);
  });
}

TEST_P(WorldTest, BitsetsChooseSleepers) {
  ExpectRuns([] {
    Word word{0}, ready{0}, woken{0};
    for (uint32_t bit = 1; bit <= 4; bit <<= 1) {
      Spawn([&, bit] {
        Count(ready);
        REQUIRE(FutexWait(AddressOf(word), 0, bit, kForever).ok());
        woken.fetch_or(bit);
        FutexWake(AddressOf(woken), 1);
      });
    }
    WaitFor(ready, 3);
    while (FutexWake(AddressOf(word), 10, 2) == 0) {
      Yield();
    }
    WaitFor(woken, 2);
    uint32_t rest = 0;
    while (rest < 2) {
      rest += FutexWake(AddressOf(word), 10, 5);
      Yield();
    }
    WaitFor(woken, 7);
  });
}

TEST_P(WorldTest, RequeueMovesSleepersToAnotherWord) {
  ExpectRuns([] {
    Word first{0}, second{0}, ready{0}, woken{0};
    for (int i = 0; i < 5; ++i) {
      Spawn([&] {
        Count(ready);
        REQUIRE(FutexWait(AddressOf(first), 0, kFutexMatchAny, kForever).ok());
        Count(woken);
      });
    }
    WaitFor(ready, 5);
    const uint32_t wrong = 1;
    REQUIRE(FutexRequeue(AddressOf(first), 1, AddressOf(second), 10, &wrong).error() ==
            Errno::kEAGAIN);
    const uint32_t right = 0;
    uint32_t touched = 0;
    uint32_t wake = 1;
    while (touched < 5) {
      const uint32_t now =
          FutexRequeue(AddressOf(first), wake, AddressOf(second), 10, &right).value();
      wake = now != 0 ? 0 : wake;
      touched += now;
      Yield();
    }
    WaitFor(woken, 1);
    REQUIRE(FutexWake(AddressOf(first), 10) == 0);
    REQUIRE(FutexWake(AddressOf(second), 3) == 3);
    REQUIRE(FutexWake(AddressOf(second), 3) == 1);
    WaitFor(woken, 5);
  });
}

TEST_P(WorldTest, WakeOperationChangesAndCompares) {
  ExpectRuns([] {
    Word first{0}, second{7};
    const auto operation = [](uint32_t kind, uint32_t argument, uint32_t comparison,
                              uint32_t with) {
      return kind << 28 | comparison << 24 | argument << 12 | with;
    };
    const auto run = [&](uint32_t encoded) {
      return FutexWakeOperation(AddressOf(first), 1, AddressOf(second), 1, encoded).value();
    };
    REQUIRE(run(operation(0, 3, 0, 7)) == 0 && second == 3);       // set
    REQUIRE(run(operation(1, 2, 0, 7)) == 0 && second == 5);       // add
    REQUIRE(run(operation(2, 8, 0, 7)) == 0 && second == 13);      // or
    REQUIRE(run(operation(3, 1, 0, 7)) == 0 && second == 12);      // and not
    REQUIRE(run(operation(4, 4, 0, 7)) == 0 && second == 8);       // xor
    REQUIRE(run(operation(8 | 1, 4, 0, 7)) == 0 && second == 24);  // add 1 << 4
    REQUIRE(run(operation(1, 0xfff, 0, 7)) == 0 && second == 23);  // add -1
    Word ready{0}, woken{0};
    Spawn([&] {
      Count(ready);
      REQUIRE(FutexWait(AddressOf(second), 23, kFutexMatchAny, kForever).ok());
      Count(woken);
    });
    WaitFor(ready, 1);
    for (int i = 0; i < 100; ++i) {
      REQUIRE(run(operation(1, 0, 2, 5)) == 0);  // 23 < 5 does not hold: nobody is woken
      Yield();
    }
    while (run(operation(1, 0, 4, 5)) == 0) {  // 23 > 5
      Yield();
    }
    WaitFor(woken, 1);
  });
}

TEST_P(WorldTest, TimeoutsAndWakeUpsRace) {
  ExpectRuns([] {
    // Every sleep ends, by whichever comes first, and no wake-up is counted that nobody got.
    Word word{0}, done{0};
    std::atomic<uint32_t> received{0};
    std::atomic<bool> stop{false};
    constexpr uint32_t kSleepers = 6;
    for (uint32_t i = 0; i < kSleepers; ++i) {
      Spawn([&, i] {
        std::mt19937 random(i);
        for (int round = 0; round < 200; ++round) {
          const Deadline deadline = MonotonicNow() + random() % 60'000;
          auto waited = FutexWait(AddressOf(word), 0, kFutexMatchAny, deadline);
          if (waited.ok()) {
            ++received;
          } else {
            REQUIRE(waited.error() == Errno::kETIMEDOUT);
          }
        }
        Count(done);
      });
    }
    uint32_t sent = 0;
    while (done.load() < kSleepers) {
      sent += FutexWake(AddressOf(word), 1 + sent % 3);
      BeginSleep(true);
      Sleep(MonotonicNow() + 20'000);
    }
    REQUIRE(received.load() == sent);
    stop = true;
  });
}

TEST_P(WorldTest, WaitQueuesWakeInOrder) {
  ExpectRuns([] {
    SpinLock lock;
    WaitQueue queue;
    std::vector<int> order;
    std::atomic<int> waiting{0};
    Word done{0};
    for (int i = 0; i < 4; ++i) {
      Spawn([&, i] {
        while (waiting.load() != i) {
          Yield();
        }
        lock.Lock();
        ++waiting;
        REQUIRE(Block(queue, lock, kForever, true) == WakeReason::kWoken);
        {
          SpinLockGuard guard(lock);
          order.push_back(i);
        }
        Count(done);
      });
    }
    uint32_t woken = 0;
    while (woken < 4) {
      {
        SpinLockGuard guard(lock);
        woken += waiting.load() == 4 ? queue.Wake(1) : 0;
      }
      if (woken != 0) {
        WaitFor(done, woken);
      }
      Yield();
    }
    REQUIRE((order == std::vector<int>{0, 1, 2, 3}));
    SpinLockGuard guard(lock);
    REQUIRE(queue.is_empty());
  });
}

TEST_P(WorldTest, TimedOutSleepersLeaveTheirQueue) {
  ExpectRuns([] {
    SpinLock lock;
    WaitQueue queue;
    lock.Lock();
    REQUIRE(Block(queue, lock, MonotonicNow() + 1'000'000, true) == WakeReason::kTimeout);
    SpinLockGuard guard(lock);
    REQUIRE(queue.is_empty());
    REQUIRE(queue.Wake(1) == 0);
  });
}

TEST_P(WorldTest, StreamsWakeTheirReaders) {
  ExpectRuns([] {
    Word done{0};
    for (int i = 0; i < 3; ++i) {
      Spawn([&] {
        REQUIRE(WaitForStream(host::Stream::kIn, false, kForever) == WakeReason::kWoken);
        Count(done);
      });
    }
    REQUIRE(WaitForStream(host::Stream::kIn, false, MonotonicNow() + 2'000'000) ==
            WakeReason::kTimeout);
    testing::SetStreamReady(0, true);
    WaitFor(done, 3);
  });
}

TEST_P(WorldTest, SignalsEndInterruptibleSleepsOnly) {
  ExpectRuns([] {
    SignalAction action = {.handler = 0x1000, .flags = 0, .restorer = 0, .mask = 0};
    SetSignalAction(kSigUsr1, action);
    Word ready{0}, done{0}, word{0};
    const auto send = [](int32_t tid) {
      SignalInfo info = {};
      info.signal = kSigUsr1;
      return WithThread(
          tid,
          [](Thread& thread, void* context) -> Result<void, Errno> {
            return SendToThread(thread, *static_cast<SignalInfo*>(context));
          },
          &info);
    };
    const int32_t sleeper = Spawn([&] {
      Count(ready);
      REQUIRE(FutexWait(AddressOf(word), 0, kFutexMatchAny, kForever).error() == Errno::kEINTR);
      REQUIRE(CurrentThread().attention.load() != 0);
      // It is still pending: the next sleep does not begin.
      REQUIRE(FutexWait(AddressOf(word), 0, kFutexMatchAny, kForever).error() == Errno::kEINTR);
      SetBlockedSignals(SignalSet::Of(kSigUsr1));
      REQUIRE(FutexWait(AddressOf(word), 0, kFutexMatchAny, MonotonicNow() + 100'000).error() ==
              Errno::kETIMEDOUT);
      Count(done);
    });
    WaitFor(ready, 1);
    REQUIRE(send(sleeper).ok());
    WaitFor(done, 1);
    REQUIRE(send(12345).error() == Errno::kESRCH);
  });
}

TEST_P(WorldTest, CancellationEndsTheCallAfterIt) {
  ExpectRuns([] {
    // The C library's handler has run between its check and the call, and sent the signal again,
    // blocked.
    SetSignalAction(kSigCancel, {.handler = 0x1000, .flags = kSaRestart, .restorer = 0, .mask = 0});
    Thread& self = CurrentThread();
    SetBlockedSignals(SignalSet::Of(kSigCancel));
    SignalInfo info = {};
    info.signal = kSigCancel;
    REQUIRE(SendToThread(self, info).ok());
    Word word{0};
    REQUIRE(FutexWait(AddressOf(word), 0, kFutexMatchAny, kForever).error() == Errno::kEINTR);
    REQUIRE(self.cancel_interrupt);
    // Once: other waits, for a mutex say, must be possible.
    REQUIRE(FutexWait(AddressOf(word), 0, kFutexMatchAny, MonotonicNow() + 10'000).error() ==
            Errno::kETIMEDOUT);
  });
}

TEST_P(WorldTest, RobustFutexesAreReleased) {
  ExpectRuns([] {
    struct Entry {
      uint64_t next;
      Word word{0};
    };
    struct Head {
      uint64_t first;
      int64_t offset;
      uint64_t pending;
    };
    static Entry held, waited_for, foreign;
    static Head head;
    Word done{0};
    Spawn([&] {
      const uint32_t tid = static_cast<uint32_t>(CurrentThread().tid);
      held.word = tid;
      waited_for.word = tid | 0x80000000;
      foreign.word = 4711;
      const auto address = [](auto& object) { return reinterpret_cast<uint64_t>(&object); };
      held.next = address(foreign);
      foreign.next = address(head);
      head = {.first = address(held),
              .offset = static_cast<int64_t>(offsetof(Entry, word)),
              .pending = address(waited_for)};
      CurrentThread().robust_list = address(head);
      CurrentThread().clear_child_tid = AddressOf(done);
      done = 1;
    });
    Word& word = waited_for.word;
    while (word.load() == 0) {
      Yield();
    }
    const uint32_t now = word.load();
    if ((now & 0x40000000) == 0) {
      static_cast<void>(FutexWait(AddressOf(word), now, kFutexMatchAny, kForever).ok());
    }
    WaitFor(done, 0);
    REQUIRE(held.word == 0x40000000);
    REQUIRE(waited_for.word == 0xc0000000);
    REQUIRE(foreign.word == 4711);
  });
}

INSTANTIATE_TEST_SUITE_P(Cpus, WorldTest, ::testing::Values(1, 2, 4));

TEST(World, ASecondWaitingThreadStartsAVcpu) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(RunWorld(3,
                       [] {
                         Word done{0};
                         Spawn([&] { Count(done); });
                         REQUIRE(testing::host_counts().starts == 0);
                         WaitFor(done, 1);
                         REQUIRE(testing::host_counts().starts == 0);
                         // Two that wait while this one goes on.
                         Spawn([&] { Count(done); });
                         Spawn([&] { Count(done); });
                         REQUIRE(testing::host_counts().starts == 1);
                         WaitFor(done, 3);
                       }),
              ::testing::ExitedWithCode(0), "");
}

TEST(World, ATickGivesTheVcpuToWhoWaits) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(RunWorld(1,
                       [] {
                         bool ran = false;
                         REQUIRE(!TickNeedsWork());
                         Spawn([&] { ran = true; });
                         REQUIRE(testing::host_counts().ticks_set == 1);
                         REQUIRE(!ran && TickNeedsWork());
                         OnTick();
                         REQUIRE(ran);
                         // Nobody waits any more: after two ticks it is stopped.
                         while (TickNeedsWork() || testing::host_counts().ticks_set < 2) {
                           OnTick();
                         }
                         REQUIRE(testing::host_counts().ticks_set == 2);
                       }),
              ::testing::ExitedWithCode(0), "");
}

TEST(World, TheLastThreadEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(RunWorld(2,
                       [] {
                         Spawn([] {
                           while (ThreadCount() != 1) {
                             Yield();
                           }
                           ExitCurrentThread(42);
                         });
                         ExitCurrentThread(0);
                       }),
              ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace nsgx::libos
