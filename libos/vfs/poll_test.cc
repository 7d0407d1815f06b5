// SPDX-License-Identifier: Apache-2.0
// poll, ppoll, select, pselect6.

#include <atomic>
#include <initializer_list>
#include <vector>

#include "libos/kernel/clock.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM;
constexpr uint32_t kEverything = kReadable | kWritable | kPOLLPRI;

class PollTest : public FilesTest {
 protected:
  struct Asked {
    int fd;
    uint32_t events;
  };

  static std::span<LinuxPollfd> NewArray(std::initializer_list<Asked> files) {
    const auto memory = AllocateUser(files.size() * sizeof(LinuxPollfd));
    auto* const array = reinterpret_cast<LinuxPollfd*>(memory.data());
    size_t i = 0;
    for (const Asked& asked : files) {
      array[i++] = {.fd = asked.fd, .events = static_cast<int16_t>(asked.events), .revents = -1};
    }
    return {array, files.size()};
  }

  static int64_t Poll(std::span<LinuxPollfd> array, int timeout) {
    return ResultOf(SysPoll(UserOut<LinuxPollfd>(reinterpret_cast<uint64_t>(array.data())),
                            static_cast<uint32_t>(array.size()), timeout));
  }

  // What is ready now.
  static uint32_t Ready(int fd, uint32_t events = kEverything) {
    const auto array = NewArray({{fd, events}});
    const int64_t count = Poll(array, 0);
    const uint32_t ready = static_cast<uint16_t>(array[0].revents);
    EXPECT_EQ(count, ready != 0 ? 1 : 0);
    return ready;
  }
};

TEST_F(PollTest, FilesAreAlwaysReady) {
  EXPECT_EQ(Ready(Open("/tmp")), kReadable | kWritable);
  EXPECT_EQ(Ready(Open("/tmp/a", kO_CREAT | kO_RDWR)), kReadable | kWritable);
  EXPECT_EQ(Ready(Open("/tmp/a"), kPOLLIN), kPOLLIN);
  EXPECT_EQ(Ready(99), kPOLLNVAL);
  EXPECT_EQ(Ready(Open("/tmp/a", kO_PATH)), kPOLLNVAL);
  EXPECT_EQ(Ready(-1), 0u);
}

TEST_F(PollTest, Pipes) {
  const PipePair pipe = MakePipePair(kO_NONBLOCK);
  EXPECT_EQ(Ready(pipe.read), 0u);
  EXPECT_EQ(Ready(pipe.write), kWritable);
  Write(pipe.write, "x");
  EXPECT_EQ(Ready(pipe.read), kReadable);
  Write(pipe.write, std::string(65536 - 4096, 'x'));
  EXPECT_EQ(Ready(pipe.write), 0u);
  Read(pipe.read, 1);
  EXPECT_EQ(Ready(pipe.write), kWritable);
  Close(pipe.write);
  EXPECT_EQ(Ready(pipe.read), kReadable | kPOLLHUP);
  Read(pipe.read, 65536);
  EXPECT_EQ(Ready(pipe.read), kPOLLHUP);
  // Hang-ups and errors are told whether asked for or not.
  EXPECT_EQ(Ready(pipe.read, 0), kPOLLHUP);
  const PipePair other = MakePipePair();
  Close(other.read);
  EXPECT_EQ(Ready(other.write, kPOLLOUT), kPOLLOUT | kPOLLERR);
}

TEST_F(PollTest, AFifoWithoutAWriterYetIsNotHungUp) {
  Mknod("/tmp/fifo", kS_IFIFO | 0600);
  const int reader = Open("/tmp/fifo", kO_RDONLY | kO_NONBLOCK);
  EXPECT_EQ(Ready(reader), 0u);
  const int writer = Open("/tmp/fifo", kO_WRONLY);
  EXPECT_EQ(Ready(reader), 0u);
  Close(writer);
  EXPECT_EQ(Ready(reader), kPOLLHUP);
}

TEST_F(PollTest, Events) {
  const int fd = static_cast<int>(ResultOf(SysEventfd2(0, 0)));
  EXPECT_EQ(Ready(fd), kWritable);
  ResultOf(SysWrite(fd, UserIn<std::byte>(AddressOf(NewUser<uint64_t>(1))), 8));
  EXPECT_EQ(Ready(fd), kReadable | kWritable);
}

TEST_F(PollTest, SeveralAtOnce) {
  const PipePair first = MakePipePair();
  const PipePair second = MakePipePair();
  const auto array = NewArray(
      {{first.read, kPOLLIN}, {second.read, kPOLLIN}, {second.write, kPOLLOUT}, {-7, kPOLLIN}});
  Write(second.write, "x");
  EXPECT_EQ(Poll(array, -1), 2);
  EXPECT_EQ(array[0].revents, 0);
  EXPECT_EQ(array[1].revents, static_cast<int16_t>(kPOLLIN));
  EXPECT_EQ(array[2].revents, static_cast<int16_t>(kPOLLOUT));
  EXPECT_EQ(array[3].revents, 0);
}

TEST_F(PollTest, MoreThanFitTheStack) {
  std::vector<PipePair> pipes;
  for (int i = 0; i < 100; ++i) {
    pipes.push_back(MakePipePair());
  }
  const auto memory = AllocateUser(100 * sizeof(LinuxPollfd));
  const std::span array(reinterpret_cast<LinuxPollfd*>(memory.data()), 100);
  for (size_t i = 0; i < 100; ++i) {
    array[i] = {.fd = pipes[i].read, .events = static_cast<int16_t>(kPOLLIN), .revents = 0};
  }
  EXPECT_EQ(Poll(array, 0), 0);
  Write(pipes[77].write, "x");
  EXPECT_EQ(Poll(array, -1), 1);
  EXPECT_NE(array[77].revents, 0);
}

TEST_F(PollTest, WaitsForTheFirst) {
  const PipePair first = MakePipePair();
  const PipePair second = MakePipePair();
  const auto array = NewArray({{first.read, kPOLLIN}, {second.read, kPOLLIN}});
  std::atomic<int64_t> result{-1};
  FakeThread poller([&] { result = Poll(array, -1); });
  poller.WaitUntilAsleep();
  Write(second.write, "x");
  poller.Join();
  EXPECT_EQ(result, 1);
  EXPECT_EQ(array[0].revents, 0);
  EXPECT_EQ(array[1].revents, static_cast<int16_t>(kPOLLIN));
}

TEST_F(PollTest, WaitsForAHangUp) {
  const PipePair pipe = MakePipePair();
  const auto array = NewArray({{pipe.read, kPOLLIN}});
  std::atomic<int64_t> result{-1};
  FakeThread poller([&] { result = Poll(array, -1); });
  poller.WaitUntilAsleep();
  Close(pipe.write);
  poller.Join();
  EXPECT_EQ(result, 1);
  EXPECT_EQ(array[0].revents, static_cast<int16_t>(kPOLLHUP));
}

TEST_F(PollTest, WhatIsOfNoInterestDoesNotWake) {
  const PipePair pipe = MakePipePair();
  const auto array = NewArray({{pipe.write, kPOLLPRI}});
  std::atomic<int64_t> result{-1};
  FakeThread poller([&] { result = Poll(array, -1); });
  poller.WaitUntilAsleep();
  Write(pipe.write, "x");
  Read(pipe.read, 1);
  EXPECT_TRUE(poller.is_asleep());
  poller.Interrupt();
  poller.Join();
  EXPECT_EQ(result, Fails(Errno::kEINTR));
}

TEST_F(PollTest, AFileClosedMeanwhileIsStillWaitedFor) {
  const PipePair pipe = MakePipePair();
  const auto array = NewArray({{pipe.read, kPOLLIN}});
  std::atomic<int64_t> result{-1};
  FakeThread poller([&] { result = Poll(array, -1); });
  poller.WaitUntilAsleep();
  Close(pipe.read);
  Write(pipe.write, "x");
  poller.Join();
  EXPECT_EQ(result, 1);
}

TEST_F(PollTest, Deadlines) {
  const PipePair pipe = MakePipePair();
  const auto array = NewArray({{pipe.read, kPOLLIN}});
  const uint64_t start = MonotonicNow();
  EXPECT_EQ(Poll(array, 20), 0);
  EXPECT_GE(MonotonicNow() - start, 20'000'000u);
  EXPECT_EQ(array[0].revents, 0);
  EXPECT_EQ(Poll({}, 1), 0);
}

TEST_F(PollTest, Errors) {
  EXPECT_EQ(ResultOf(SysPoll(UserOut<LinuxPollfd>(kBadAddress), 1, 0)), Fails(Errno::kEFAULT));
  EXPECT_EQ(ResultOf(SysPoll(UserOut<LinuxPollfd>(kBadAddress), 1025, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysPoll(UserOut<LinuxPollfd>(kBadAddress), 0, 0)), 0);
}

TEST_F(PollTest, Ppoll) {
  const PipePair pipe = MakePipePair();
  const auto array = NewArray({{pipe.read, kPOLLIN}});
  LinuxTimespec& time = NewUser<LinuxTimespec>({.tv_sec = 5, .tv_nsec = 0});
  const uint64_t& mask = NewUser<uint64_t>(0x1234);
  const auto call = [&](size_t mask_size) {
    return ResultOf(SysPpoll(UserOut<LinuxPollfd>(reinterpret_cast<uint64_t>(array.data())), 1,
                             UserOut<LinuxTimespec>(AddressOf(time)),
                             UserIn<uint64_t>(AddressOf(mask)), mask_size));
  };
  EXPECT_EQ(call(4), Fails(Errno::kEINVAL));
  EXPECT_FALSE(last_signal_mask().was_set);
  Write(pipe.write, "x");
  EXPECT_EQ(call(8), 1);
  EXPECT_TRUE(last_signal_mask().was_set);
  EXPECT_EQ(last_signal_mask().mask, 0x1234u);
  // What is left of the time is told.
  EXPECT_EQ(time.tv_sec, 4);
  time = {.tv_sec = 0, .tv_nsec = 1'000'000'000};
  EXPECT_EQ(call(8), Fails(Errno::kEINVAL));
  time = {.tv_sec = -1, .tv_nsec = 0};
  EXPECT_EQ(call(8), Fails(Errno::kEINVAL));
  Read(pipe.read, 1);
  time = {.tv_sec = 0, .tv_nsec = 1'000'000};
  EXPECT_EQ(call(8), 0);
  EXPECT_EQ(time.tv_sec, 0);
  EXPECT_EQ(time.tv_nsec, 0);
}

class SelectTest : public PollTest {
 protected:
  // One set in the program's memory.
  static uint64_t* NewSet(std::initializer_list<int> fds, size_t words = 16) {
    const auto memory = AllocateUser(words * 8);
    auto* const set = reinterpret_cast<uint64_t*>(memory.data());
    for (size_t i = 0; i < words; ++i) {
      set[i] = 0;
    }
    for (int fd : fds) {
      set[fd / 64] |= uint64_t{1} << (fd % 64);
    }
    return set;
  }
  static UserOut<uint64_t> At(const uint64_t* set) {
    return UserOut<uint64_t>(reinterpret_cast<uint64_t>(set));
  }
  static int64_t Select(int count, uint64_t* read, uint64_t* write, uint64_t* except,
                        int64_t timeout_us = 0) {
    LinuxTimeval& time = NewUser<LinuxTimeval>({.tv_sec = 0, .tv_usec = timeout_us});
    return ResultOf(SysSelect(
        count, At(read), At(write), At(except),
        timeout_us < 0 ? UserOut<LinuxTimeval>(0) : UserOut<LinuxTimeval>(AddressOf(time))));
  }
};

TEST_F(SelectTest, TellsWhatIsReady) {
  const PipePair pipe = MakePipePair();
  const int file = Open("/tmp/a", kO_CREAT | kO_RDWR);
  uint64_t* const read = NewSet({pipe.read, file});
  uint64_t* const write = NewSet({pipe.write, file});
  uint64_t* const except = NewSet({file});
  EXPECT_EQ(Select(file + 1, read, write, except), 3);
  EXPECT_EQ(read[0], uint64_t{1} << file);
  EXPECT_EQ(write[0], (uint64_t{1} << file) | (uint64_t{1} << pipe.write));
  EXPECT_EQ(except[0], 0u);
  Write(pipe.write, "x");
  EXPECT_EQ(Select(file + 1, NewSet({pipe.read}), nullptr, nullptr), 1);
  Close(pipe.write);
  Read(pipe.read, 1);
  // The end can be read.
  EXPECT_EQ(Select(file + 1, NewSet({pipe.read}), nullptr, nullptr), 1);
}

TEST_F(SelectTest, LooksAtNoMoreThanItIsTold) {
  const PipePair pipe = MakePipePair();
  uint64_t* const read = NewSet({pipe.read, 40, 63});
  EXPECT_EQ(Select(pipe.read + 1, read, nullptr, nullptr), 0);
  EXPECT_EQ(read[0], 0u);
  EXPECT_EQ(Select(64, NewSet({40}), nullptr, nullptr), Fails(Errno::kEBADF));
  EXPECT_EQ(Select(-1, nullptr, nullptr, nullptr), Fails(Errno::kEINVAL));
  EXPECT_EQ(Select(0, nullptr, nullptr, nullptr, 1000), 0);
  EXPECT_EQ(ResultOf(SysSelect(1, UserOut<uint64_t>(kBadAddress), At(nullptr), At(nullptr),
                               UserOut<LinuxTimeval>(0))),
            Fails(Errno::kEFAULT));
}

TEST_F(SelectTest, LargeNumbers) {
  process_files.descriptors.SetLimit(5000);
  const PipePair pipe = MakePipePair();
  EXPECT_EQ(ResultOf(SysDup2(pipe.write, 3000)), 3000);
  uint64_t* const write = NewSet({3000}, 64);
  EXPECT_EQ(Select(3001, nullptr, write, nullptr), 1);
  EXPECT_EQ(write[3000 / 64], uint64_t{1} << (3000 % 64));
}

TEST_F(SelectTest, Waits) {
  const PipePair pipe = MakePipePair();
  uint64_t* const read = NewSet({pipe.read});
  std::atomic<int64_t> result{-1};
  FakeThread selector([&] { result = Select(10, read, nullptr, nullptr, -1); });
  selector.WaitUntilAsleep();
  Write(pipe.write, "x");
  selector.Join();
  EXPECT_EQ(result, 1);
  Read(pipe.read, 1);
  EXPECT_EQ(Select(10, NewSet({pipe.read}), nullptr, nullptr, 2000), 0);
}

TEST_F(SelectTest, Pselect) {
  const PipePair pipe = MakePipePair();
  const uint64_t& mask = NewUser<uint64_t>(0x55);
  LinuxSigsetArgument& argument = NewUser<LinuxSigsetArgument>({.set = AddressOf(mask), .size = 8});
  LinuxTimespec& time = NewUser<LinuxTimespec>({.tv_sec = 0, .tv_nsec = 1000});
  const auto call = [&] {
    return ResultOf(SysPselect6(10, At(NewSet({pipe.read})), At(nullptr), At(nullptr),
                                UserOut<LinuxTimespec>(AddressOf(time)),
                                UserIn<LinuxSigsetArgument>(AddressOf(argument))));
  };
  EXPECT_EQ(call(), 0);
  EXPECT_EQ(last_signal_mask().mask, 0x55u);
  argument.size = 16;
  EXPECT_EQ(call(), Fails(Errno::kEINVAL));
  argument.set = 0;
  EXPECT_EQ(call(), 0);
}

}  // namespace
}  // namespace nsgx::libos::testing
