// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/epoll.h"

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "libos/kernel/clock.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class EpollTest : public FilesTest {
 protected:
  static int Make() { return static_cast<int>(ResultOf(SysEpollCreate1(0))); }

  static int64_t Control(int epoll, int operation, int fd, uint32_t events, uint64_t data = 0) {
    LinuxEpollEvent& event = NewUser<LinuxEpollEvent>({.events = events, .data = data});
    return ResultOf(SysEpollCtl(epoll, operation, fd, UserIn<LinuxEpollEvent>(AddressOf(event))));
  }
  static int64_t Add(int epoll, int fd, uint32_t events, uint64_t data = 0) {
    return Control(epoll, kEPOLL_CTL_ADD, fd, events, data);
  }

  // What is told, by data.
  using Events = std::map<uint64_t, uint32_t>;
  struct Told {
    int64_t result;
    Events events;
  };
  static Told Wait(int epoll, int timeout = 0, int most = 10) {
    const auto memory = AllocateUser(static_cast<size_t>(most) * sizeof(LinuxEpollEvent));
    Told told = {.result = ResultOf(SysEpollWait(epoll, UserOut<LinuxEpollEvent>(AddressOf(memory)),
                                                 most, timeout)),
                 .events = {}};
    const auto* const events = reinterpret_cast<const LinuxEpollEvent*>(memory.data());
    for (int64_t i = 0; i < told.result; ++i) {
      const LinuxEpollEvent event = events[i];
      told.events[uint64_t{event.data}] = event.events;
    }
    return told;
  }
};

TEST_F(EpollTest, TellsUntilNothingIsLeft) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  EXPECT_EQ(Add(epoll, pipe.read, kPOLLIN, 7), 0);
  EXPECT_EQ(Wait(epoll).result, 0);
  Write(pipe.write, "xy");
  EXPECT_EQ(Wait(epoll).events, (Events{{7, kPOLLIN}}));
  Read(pipe.read, 1);
  EXPECT_EQ(Wait(epoll).events, (Events{{7, kPOLLIN}}));
  Read(pipe.read, 1);
  EXPECT_EQ(Wait(epoll).result, 0);
  Close(pipe.write);
  EXPECT_EQ(Wait(epoll).events, (Events{{7, kPOLLHUP}}));
}

TEST_F(EpollTest, WhatIsReadyAlreadyIsTold) {
  const PipePair pipe = MakePipePair();
  Write(pipe.write, "x");
  const int epoll = Make();
  Add(epoll, pipe.read, kPOLLIN, 1);
  Add(epoll, pipe.write, kPOLLOUT, 2);
  EXPECT_EQ(Wait(epoll).events, (Events{{1, kPOLLIN}, {2, kPOLLOUT}}));
}

TEST_F(EpollTest, EdgesAreToldOnce) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  Add(epoll, pipe.read, kPOLLIN | kEPOLLET, 7);
  Write(pipe.write, "x");
  EXPECT_EQ(Wait(epoll).result, 1);
  EXPECT_EQ(Wait(epoll).result, 0);
  // More has come, though what was there has not been read.
  Write(pipe.write, "y");
  EXPECT_EQ(Wait(epoll).result, 1);
  EXPECT_EQ(Wait(epoll).result, 0);
}

TEST_F(EpollTest, OneShot) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  Add(epoll, pipe.read, kPOLLIN | kEPOLLONESHOT, 7);
  Write(pipe.write, "x");
  EXPECT_EQ(Wait(epoll).result, 1);
  Write(pipe.write, "y");
  EXPECT_EQ(Wait(epoll).result, 0);
  Close(pipe.write);
  EXPECT_EQ(Wait(epoll).result, 0);
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_MOD, pipe.read, kPOLLIN | kEPOLLONESHOT, 8), 0);
  EXPECT_EQ(Wait(epoll).events, (Events{{8, kPOLLIN | kPOLLHUP}}));
}

TEST_F(EpollTest, ChangesAndRemoves) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_MOD, pipe.read, kPOLLIN), Fails(Errno::kENOENT));
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_DEL, pipe.read, 0), Fails(Errno::kENOENT));
  EXPECT_EQ(Add(epoll, pipe.write, 0, 1), 0);
  EXPECT_EQ(Add(epoll, pipe.write, 0, 1), Fails(Errno::kEEXIST));
  EXPECT_EQ(Wait(epoll).result, 0);
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_MOD, pipe.write, kPOLLOUT, 2), 0);
  EXPECT_EQ(Wait(epoll).events, (Events{{2, kPOLLOUT}}));
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_DEL, pipe.write, 0), 0);
  EXPECT_EQ(Wait(epoll).result, 0);
  EXPECT_EQ(Control(epoll, 9, pipe.write, 0), Fails(Errno::kEINVAL));
}

TEST_F(EpollTest, Errors) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  const int file = Open("/tmp/a", kO_CREAT | kO_RDWR);
  EXPECT_EQ(Add(epoll, file, kPOLLIN), Fails(Errno::kEPERM));
  EXPECT_EQ(Add(epoll, Open("/tmp"), kPOLLIN), Fails(Errno::kEPERM));
  EXPECT_EQ(Add(epoll, 99, kPOLLIN), Fails(Errno::kEBADF));
  EXPECT_EQ(Add(99, pipe.read, kPOLLIN), Fails(Errno::kEBADF));
  EXPECT_EQ(Add(file, pipe.read, kPOLLIN), Fails(Errno::kEINVAL));
  EXPECT_EQ(Add(epoll, epoll, kPOLLIN), Fails(Errno::kEINVAL));
  EXPECT_EQ(Add(epoll, pipe.read, kPOLLPRI | kEPOLLEXCLUSIVE), Fails(Errno::kEINVAL));
  EXPECT_EQ(Add(epoll, pipe.read, kPOLLIN | kEPOLLEXCLUSIVE), 0);
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_MOD, pipe.read, kPOLLIN), Fails(Errno::kEINVAL));
  EXPECT_EQ(
      ResultOf(SysEpollCtl(epoll, kEPOLL_CTL_ADD, pipe.read, UserIn<LinuxEpollEvent>(kBadAddress))),
      Fails(Errno::kEFAULT));
  EXPECT_EQ(Wait(file).result, Fails(Errno::kEINVAL));
  EXPECT_EQ(Wait(99).result, Fails(Errno::kEBADF));
  EXPECT_EQ(Wait(epoll, 0, 0).result, Fails(Errno::kEINVAL));
  Write(pipe.write, "x");
  EXPECT_EQ(ResultOf(SysEpollWait(epoll, UserOut<LinuxEpollEvent>(kBadAddress), 1, 0)),
            Fails(Errno::kEFAULT));
  EXPECT_EQ(ResultOf(SysEpollCreate(0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysEpollCreate1(1)), Fails(Errno::kEINVAL));
  EXPECT_EQ(Read(epoll, 8), Got(Errno::kEINVAL));
}

TEST_F(EpollTest, AClosedFileIsForgotten) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  Add(epoll, pipe.read, kPOLLIN, 1);
  Write(pipe.write, "x");
  // By another descriptor it is still open.
  const int twin = static_cast<int>(ResultOf(SysDup(pipe.read)));
  Close(pipe.read);
  EXPECT_EQ(Wait(epoll).result, 1);
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_DEL, twin, 0), Fails(Errno::kENOENT));
  // The number is given out anew, and both are told apart.
  const PipePair other = MakePipePair();
  EXPECT_EQ(other.read, pipe.read);
  EXPECT_EQ(Add(epoll, other.read, kPOLLIN, 2), 0);
  EXPECT_EQ(Wait(epoll).events, (Events{{1, kPOLLIN}}));
  Write(other.write, "y");
  EXPECT_EQ(Wait(epoll).events, (Events{{1, kPOLLIN}, {2, kPOLLIN}}));
  Close(twin);
  EXPECT_EQ(Wait(epoll).events, (Events{{2, kPOLLIN}}));
  EXPECT_EQ(Control(epoll, kEPOLL_CTL_DEL, other.read, 0), 0);
  EXPECT_EQ(Wait(epoll).result, 0);
}

TEST_F(EpollTest, NoMoreThanThereIsRoomFor) {
  const int epoll = Make();
  std::vector<PipePair> pipes;
  for (uint64_t i = 0; i < 40; ++i) {
    pipes.push_back(MakePipePair());
    Add(epoll, pipes.back().read, kPOLLIN, i);
    Write(pipes.back().write, "x");
  }
  // All get their turn.
  Events seen;
  for (int round = 0; round < 4; ++round) {
    const Told told = Wait(epoll, 0, 10);
    EXPECT_EQ(told.result, 10);
    seen.insert(told.events.begin(), told.events.end());
  }
  EXPECT_EQ(seen.size(), 40u);
  EXPECT_EQ(Wait(epoll, 0, 100).result, 40);
}

TEST_F(EpollTest, Waits) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  Add(epoll, pipe.read, kPOLLIN, 3);
  Told told = {};
  FakeThread waiter([&] { told = Wait(epoll, -1); });
  waiter.WaitUntilAsleep();
  Write(pipe.write, "x");
  waiter.Join();
  EXPECT_EQ(told.events, (Events{{3, kPOLLIN}}));
  Read(pipe.read, 1);
  const uint64_t start = MonotonicNow();
  EXPECT_EQ(Wait(epoll, 10).result, 0);
  EXPECT_GE(MonotonicNow() - start, 10'000'000u);
  FakeThread interrupted([&] { told = Wait(epoll, -1); });
  interrupted.WaitUntilAsleep();
  interrupted.Interrupt();
  interrupted.Join();
  EXPECT_EQ(told.result, Fails(Errno::kEINTR));
  // Files that come while it waits count as well.
  Write(pipe.write, "x");
  const int empty = Make();
  FakeThread late([&] { told = Wait(empty, -1); });
  late.WaitUntilAsleep();
  Add(empty, pipe.read, kPOLLIN, 4);
  late.Join();
  EXPECT_EQ(told.events, (Events{{4, kPOLLIN}}));
}

TEST_F(EpollTest, OtherWaysToWait) {
  const int epoll = Make();
  const auto memory = AllocateUser(sizeof(LinuxEpollEvent));
  const UserOut<LinuxEpollEvent> to(AddressOf(memory));
  const uint64_t& mask = NewUser<uint64_t>(0x99);
  LinuxTimespec& time = NewUser<LinuxTimespec>({.tv_sec = 0, .tv_nsec = 100});
  EXPECT_EQ(ResultOf(SysEpollPwait(epoll, to, 1, 0, UserIn<uint64_t>(AddressOf(mask)), 8)), 0);
  EXPECT_EQ(last_signal_mask().mask, 0x99u);
  EXPECT_EQ(ResultOf(SysEpollPwait2(epoll, to, 1, UserIn<LinuxTimespec>(AddressOf(time)),
                                    UserIn<uint64_t>(0), 0)),
            0);
  time.tv_nsec = -1;
  EXPECT_EQ(ResultOf(SysEpollPwait2(epoll, to, 1, UserIn<LinuxTimespec>(AddressOf(time)),
                                    UserIn<uint64_t>(0), 0)),
            Fails(Errno::kEINVAL));
}

TEST_F(EpollTest, SetsOfSets) {
  const PipePair pipe = MakePipePair();
  const int inner = Make();
  const int outer = Make();
  Add(inner, pipe.read, kPOLLIN, 1);
  EXPECT_EQ(Add(outer, inner, kPOLLIN, 2), 0);
  EXPECT_EQ(Wait(outer).result, 0);
  Told told = {};
  FakeThread waiter([&] { told = Wait(outer, -1); });
  waiter.WaitUntilAsleep();
  Write(pipe.write, "x");
  waiter.Join();
  EXPECT_EQ(told.events, (Events{{2, kPOLLIN}}));
  EXPECT_EQ(Wait(inner).events, (Events{{1, kPOLLIN}}));
  Read(pipe.read, 1);
  EXPECT_EQ(Wait(outer).result, 0);
  // Not in circles, and not too deep.
  EXPECT_EQ(Add(inner, outer, kPOLLIN), Fails(Errno::kELOOP));
  int top = outer;
  int64_t result = 0;
  for (int depth = 0; depth < 6 && result == 0; ++depth) {
    const int next = Make();
    result = Add(next, top, kPOLLIN);
    top = next;
  }
  EXPECT_EQ(result, Fails(Errno::kELOOP));
}

TEST_F(EpollTest, SetsCanBePolled) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  Add(epoll, pipe.read, kPOLLIN, 1);
  LinuxPollfd& entry =
      NewUser<LinuxPollfd>({.fd = epoll, .events = static_cast<int16_t>(kPOLLIN), .revents = 0});
  const UserOut<LinuxPollfd> at(AddressOf(entry));
  EXPECT_EQ(ResultOf(SysPoll(at, 1, 0)), 0);
  std::atomic<int64_t> result{-1};
  FakeThread poller([&] { result = ResultOf(SysPoll(at, 1, -1)); });
  poller.WaitUntilAsleep();
  Write(pipe.write, "x");
  poller.Join();
  EXPECT_EQ(result, 1);
}

TEST_F(EpollTest, ManyThreadsShareTheWork) {
  constexpr int kPipes = 8;
  constexpr int kMessages = 2000;
  const int epoll = Make();
  std::vector<PipePair> pipes;
  for (uint64_t i = 0; i < kPipes; ++i) {
    pipes.push_back(MakePipePair(kO_NONBLOCK));
    Add(epoll, pipes.back().read, kPOLLIN | (i % 2 != 0 ? kEPOLLET : 0), i);
  }
  std::atomic<int> received{0};
  {
    std::vector<std::unique_ptr<FakeThread>> threads;
    for (int t = 0; t < 3; ++t) {
      const auto events = AllocateUser(4 * sizeof(LinuxEpollEvent));
      const auto buffer = AllocateUser(64);
      threads.push_back(std::make_unique<FakeThread>([&, events, buffer] {
        while (received < kMessages) {
          const int64_t count =
              ResultOf(SysEpollWait(epoll, UserOut<LinuxEpollEvent>(AddressOf(events)), 4, 5));
          const auto* const told = reinterpret_cast<const LinuxEpollEvent*>(events.data());
          for (int64_t i = 0; i < count; ++i) {
            while (true) {
              const int64_t got = ResultOf(
                  SysRead(pipes[told[i].data].read, UserOut<std::byte>(AddressOf(buffer)), 64));
              if (got <= 0) {
                break;
              }
              received += static_cast<int>(got);
            }
          }
        }
      }));
    }
    const uint64_t byte = UserString("x");
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_EQ(ResultOf(SysWrite(pipes[static_cast<size_t>(i * 5 % kPipes)].write,
                                  UserIn<std::byte>(byte), 1)),
                1);
    }
  }
  EXPECT_EQ(received, kMessages);
}

TEST_F(EpollTest, ClosingWhileOthersWait) {
  // Sets and files come and go in every order.
  for (int round = 0; round < 50; ++round) {
    const PipePair pipe = MakePipePair();
    const int epoll = Make();
    Add(epoll, pipe.read, kPOLLIN, 1);
    FakeThread waiter([&] { Wait(epoll, 1); });
    FakeThread closer([&] { Close(pipe.read); });
    Close(round % 2 == 0 ? epoll : pipe.write);
    closer.Join();
    waiter.Join();
    Close(round % 2 == 0 ? pipe.write : epoll);
  }
}

TEST_F(EpollTest, WithoutMemory) {
  const PipePair pipe = MakePipePair();
  const int epoll = Make();
  FailAllocationsAfter(0);
  EXPECT_EQ(ResultOf(SysEpollCreate1(0)), Fails(Errno::kENOMEM));
  EXPECT_EQ(Add(epoll, pipe.read, kPOLLIN), Fails(Errno::kENOMEM));
  StopFailingAllocations();
  EXPECT_EQ(Add(epoll, pipe.read, kPOLLIN), 0);
}

}  // namespace
}  // namespace nsgx::libos::testing
