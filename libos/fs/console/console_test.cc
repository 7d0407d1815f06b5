// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/console/console.h"

#include <atomic>
#include <string>

#include "libos/kernel/clock.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_streams.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

using host::Stream;

class ConsoleTest : public FilesTest {
 protected:
  void TearDown() override {
    // What a test has not read must not be found by the next.
    ResetStreams();
    DoNotWait(0);
    while (Read(0, 4096).result > 0) {
    }
    FilesTest::TearDown();
  }

  static void OpenTerminal() {
    MakeTerminal(Stream::kIn, 24, 80);
    MakeTerminal(Stream::kOut, 24, 80);
    MakeTerminal(Stream::kErr, 24, 80);
    OpenStreams();
  }

  static void DoNotWait(int fd) { ResultOf(SysFcntl(fd, kF_SETFL, kO_NONBLOCK)); }

  static int64_t PollFor(int fd, uint32_t events, int timeout) {
    LinuxPollfd& entry =
        NewUser<LinuxPollfd>({.fd = fd, .events = static_cast<int16_t>(events), .revents = 0});
    const int64_t result = ResultOf(SysPoll(UserOut<LinuxPollfd>(AddressOf(entry)), 1, timeout));
    return result <= 0 ? result : static_cast<uint16_t>(entry.revents);
  }
};

TEST_F(ConsoleTest, OutputGoesWhereItBelongs) {
  OpenStreams();
  EXPECT_EQ(Write(1, "out"), 3);
  EXPECT_EQ(Write(2, "err"), 3);
  EXPECT_EQ(Writev(1, {"put", "", "!"}), 4);
  EXPECT_EQ(OutputOf(Stream::kOut), "output!");
  EXPECT_EQ(OutputOf(Stream::kErr), "err");
  EXPECT_EQ(Write(0, "x"), Fails(Errno::kEBADF));
  EXPECT_EQ(Read(1, 1), Got(Errno::kEBADF));
}

TEST_F(ConsoleTest, LargeOutputIsWrittenAsAWhole) {
  OpenStreams();
  LimitTransfer(1000);
  const std::string data(200000, 'x');
  EXPECT_EQ(Write(1, data), 200000);
  EXPECT_EQ(OutputOf(Stream::kOut), data);
}

TEST_F(ConsoleTest, InputIsReadAsItComes) {
  OpenStreams();
  ProvideInput("line one\nline two\n");
  EXPECT_EQ(Read(0, 5), Got("line "));
  int32_t& available = NewUser<int32_t>();
  EXPECT_EQ(ResultOf(SysIoctl(0, kFIONREAD, AddressOf(available))), 0);
  EXPECT_EQ(available, 13);
  EXPECT_EQ(Read(0, 100), Got("one\nline two\n"));
  EndInput();
  EXPECT_EQ(Read(0, 100), Got(""));
  EXPECT_EQ(Read(0, 100), Got(""));
}

TEST_F(ConsoleTest, AReaderSleepsUntilSomethingComes) {
  OpenStreams();
  const auto buffer = AllocateUser(100);
  std::atomic<int64_t> got{-1};
  FakeThread reader(
      [&] { got = ResultOf(SysRead(0, UserOut<std::byte>(AddressOf(buffer)), 100)); });
  reader.WaitUntilAsleep();
  ProvideInput("now");
  reader.Join();
  EXPECT_EQ(got, 3);
  FakeThread interrupted(
      [&] { got = ResultOf(SysRead(0, UserOut<std::byte>(AddressOf(buffer)), 100)); });
  interrupted.WaitUntilAsleep();
  interrupted.Interrupt();
  interrupted.Join();
  EXPECT_EQ(got, Fails(Errno::kEINTR));
  DoNotWait(0);
  EXPECT_EQ(Read(0, 1), Got(Errno::kEAGAIN));
}

TEST_F(ConsoleTest, AWriterSleepsWhileTheStreamIsFull) {
  OpenStreams();
  LimitOutput(Stream::kOut, 10);
  const uint64_t text = UserString(std::string(25, 'x'));
  std::atomic<int64_t> wrote{-1};
  FakeThread writer([&] { wrote = ResultOf(SysWrite(1, UserIn<std::byte>(text), 25)); });
  writer.WaitUntilAsleep();
  EXPECT_EQ(OutputOf(Stream::kOut).size(), 10u);
  LimitOutput(Stream::kOut, 100);
  writer.Join();
  EXPECT_EQ(wrote, 25);
  LimitOutput(Stream::kOut, 10);
  DoNotWait(1);
  EXPECT_EQ(Write(1, std::string(25, 'y')), 10);
  EXPECT_EQ(Write(1, "y"), Fails(Errno::kEAGAIN));
  // The other stream is not concerned.
  EXPECT_EQ(Write(2, "y"), 1);
}

TEST_F(ConsoleTest, NobodyReads) {
  OpenStreams();
  BreakOutput(Stream::kOut);
  EXPECT_EQ(Write(1, "x"), Fails(Errno::kEPIPE));
  EXPECT_EQ(raised_signals().last, kBrokenPipeSignal);
}

TEST_F(ConsoleTest, Faults) {
  OpenStreams();
  EXPECT_EQ(ResultOf(SysWrite(1, UserIn<std::byte>(kBadAddress), 10)), Fails(Errno::kEFAULT));
  const auto pages = AllocateUserPages(3);
  TakeUserPageAway(AddressOf(pages) + 8192);
  EXPECT_EQ(ResultOf(SysWrite(1, UserIn<std::byte>(AddressOf(pages) + 4096), 8192)), 4096);
  ProvideInput("kept");
  EXPECT_EQ(ResultOf(SysRead(0, UserOut<std::byte>(kBadAddress), 10)), Fails(Errno::kEFAULT));
  EXPECT_EQ(Read(0, 10), Got("kept"));
}

TEST_F(ConsoleTest, PipesLookLikePipes) {
  OpenStreams();
  for (int fd = 0; fd < 3; ++fd) {
    EXPECT_EQ(Fstat(fd).stat.st_mode & kS_IFMT, kS_IFIFO);
    EXPECT_EQ(Lseek(fd, 0, kSEEK_CUR), Fails(Errno::kESPIPE));
    EXPECT_EQ(ResultOf(SysIoctl(fd, kTIOCGWINSZ, AddressOf(NewUser<LinuxWinsize>()))),
              Fails(Errno::kENOTTY));
    EXPECT_EQ(ResultOf(SysIoctl(fd, kTCGETS, AddressOf(NewUser<LinuxTermios>()))),
              Fails(Errno::kENOTTY));
    EXPECT_EQ(Readlink("/proc/self/fd/" + std::to_string(fd)).data.substr(0, 6), "pipe:[");
  }
  EXPECT_EQ(Open("/dev/tty", kO_RDWR), Fails(Errno::kENXIO));
  // By their names they are the same streams.
  const int out = Open("/dev/stdout", kO_WRONLY);
  EXPECT_EQ(Write(out, "by name"), 7);
  EXPECT_EQ(OutputOf(Stream::kOut), "by name");
}

TEST_F(ConsoleTest, TerminalsLookLikeTerminals) {
  OpenTerminal();
  for (int fd = 0; fd < 3; ++fd) {
    const LinuxStat status = Fstat(fd).stat;
    EXPECT_EQ(status.st_mode & kS_IFMT, kS_IFCHR);
    EXPECT_EQ(status.st_rdev, MakeDevice(5, 1));
    LinuxWinsize& size = NewUser<LinuxWinsize>();
    EXPECT_EQ(ResultOf(SysIoctl(fd, kTIOCGWINSZ, AddressOf(size))), 0);
    EXPECT_EQ(size.ws_row, 24);
    EXPECT_EQ(size.ws_col, 80);
    LinuxTermios& settings = NewUser<LinuxTermios>();
    EXPECT_EQ(ResultOf(SysIoctl(fd, kTCGETS, AddressOf(settings))), 0);
    EXPECT_NE(settings.c_lflag & 2, 0u);  // lines, not characters
    EXPECT_EQ(Readlink("/proc/self/fd/" + std::to_string(fd)), Got("/dev/console"));
  }
  EXPECT_EQ(ResultOf(SysIoctl(0, kTIOCGWINSZ, kBadAddress)), Fails(Errno::kEFAULT));
  EXPECT_EQ(ResultOf(SysIoctl(0, 0x5999, 0)), Fails(Errno::kENOTTY));
  const int terminal = Open("/dev/tty", kO_RDWR);
  EXPECT_GE(terminal, 0);
  EXPECT_EQ(Write(terminal, "hello"), 5);
  EXPECT_EQ(OutputOf(Stream::kOut), "hello");
  ProvideInput("typed\n");
  EXPECT_EQ(Read(terminal, 100), Got("typed\n"));
  // Standard input of a terminal may be written to, as on Linux.
  EXPECT_EQ(Write(0, "!"), 1);
}

TEST_F(ConsoleTest, Readiness) {
  OpenStreams();
  EXPECT_EQ(PollFor(0, kPOLLIN, 0), 0);
  EXPECT_EQ(PollFor(1, kPOLLOUT, 0), int64_t{kPOLLOUT});
  ProvideInput("x");
  EXPECT_EQ(PollFor(0, kPOLLIN, 0), int64_t{kPOLLIN});
  EXPECT_EQ(PollFor(0, kPOLLIN, 0), int64_t{kPOLLIN});
  EXPECT_EQ(Read(0, 10), Got("x"));
  EXPECT_EQ(PollFor(0, kPOLLIN, 0), 0);
  EndInput();
  EXPECT_EQ(PollFor(0, kPOLLIN, 0), int64_t{kPOLLIN});
  EXPECT_EQ(Read(0, 10), Got(""));
  DoNotWait(1);
  LimitOutput(Stream::kOut, 0);
  EXPECT_EQ(Write(1, "x"), Fails(Errno::kEAGAIN));
  EXPECT_EQ(PollFor(1, kPOLLOUT, 0), 0);
  LimitOutput(Stream::kOut, 10);
  EXPECT_EQ(PollFor(1, kPOLLOUT, 0), int64_t{kPOLLOUT});
}

TEST_F(ConsoleTest, PollWaitsForTheHost) {
  OpenTerminal();
  std::atomic<int64_t> ready{-1};
  FakeThread poller([&] { ready = PollFor(0, kPOLLIN, -1); });
  poller.WaitUntilAsleep();
  EXPECT_EQ(watcher_count(), 1u);
  ProvideInput("x");
  poller.Join();
  EXPECT_EQ(ready, int64_t{kPOLLIN});
  // Nobody waits, so the host is not asked.
  EXPECT_EQ(watcher_count(), 0u);
  DoNotWait(1);
  LimitOutput(Stream::kOut, 0);
  Write(1, "x");
  FakeThread writer([&] { ready = PollFor(1, kPOLLOUT, -1); });
  writer.WaitUntilAsleep();
  LimitOutput(Stream::kOut, 5);
  writer.Join();
  EXPECT_EQ(ready, int64_t{kPOLLOUT});
  EXPECT_EQ(watcher_count(), 0u);
  const uint64_t start = MonotonicNow();
  Read(0, 10);
  EXPECT_EQ(PollFor(0, kPOLLIN, 5), 0);
  EXPECT_GE(MonotonicNow() - start, 5'000'000u);
}

TEST_F(ConsoleTest, EpollWatchesOnlyWhileThereIsNothing) {
  OpenStreams();
  const int epoll = static_cast<int>(ResultOf(SysEpollCreate1(0)));
  LinuxEpollEvent& event = NewUser<LinuxEpollEvent>({.events = kPOLLIN, .data = 5});
  EXPECT_EQ(
      ResultOf(SysEpollCtl(epoll, kEPOLL_CTL_ADD, 0, UserIn<LinuxEpollEvent>(AddressOf(event)))),
      0);
  EXPECT_EQ(watcher_count(), 1u);
  const auto memory = AllocateUser(sizeof(LinuxEpollEvent));
  const auto wait = [&](int timeout) {
    return ResultOf(SysEpollWait(epoll, UserOut<LinuxEpollEvent>(AddressOf(memory)), 1, timeout));
  };
  EXPECT_EQ(wait(0), 0);
  std::atomic<int64_t> told{-1};
  FakeThread waiter([&] { told = wait(-1); });
  waiter.WaitUntilAsleep();
  ProvideInput("abc");
  waiter.Join();
  EXPECT_EQ(told, 1);
  // While something lies in the buffer, the host is left alone.
  EXPECT_EQ(watcher_count(), 0u);
  EXPECT_EQ(wait(0), 1);
  EXPECT_EQ(Read(0, 100), Got("abc"));
  EXPECT_EQ(wait(0), 0);
  EXPECT_EQ(watcher_count(), 1u);
  Close(epoll);
  EXPECT_EQ(watcher_count(), 0u);
}

}  // namespace
}  // namespace nsgx::libos::testing
