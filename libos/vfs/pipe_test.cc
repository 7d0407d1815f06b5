// SPDX-License-Identifier: Apache-2.0
// Pipes, FIFOs and eventfds.

#include "libos/vfs/pipe.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "libos/vfs/kernel_services.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class PipeTest : public FilesTest {
 protected:
  static int64_t WriteAt(int fd, uint64_t address, size_t size) {
    return ResultOf(SysWrite(fd, UserIn<std::byte>(address), size));
  }
  static int64_t ReadAt(int fd, uint64_t address, size_t size) {
    return ResultOf(SysRead(fd, UserOut<std::byte>(address), size));
  }
};

TEST_F(PipeTest, BytesComeOutInOrder) {
  const PipePair pipe = MakePipePair();
  EXPECT_EQ(Write(pipe.write, "hello "), 6);
  EXPECT_EQ(Write(pipe.write, "world"), 5);
  EXPECT_EQ(Read(pipe.read, 3), Got("hel"));
  EXPECT_EQ(Read(pipe.read, 100), Got("lo world"));
  EXPECT_EQ(Read(pipe.write, 1), Got(Errno::kEBADF));
  EXPECT_EQ(Write(pipe.read, "x"), Fails(Errno::kEBADF));
  const LinuxStat status = Fstat(pipe.read).stat;
  EXPECT_EQ(status.st_mode, kS_IFIFO | 0600);
  EXPECT_EQ(status.st_ino, Fstat(pipe.write).stat.st_ino);
}

TEST_F(PipeTest, TheRingWrapsAround) {
  const PipePair pipe = MakePipePair(kO_NONBLOCK);
  std::string written;
  std::string read;
  for (size_t i = 0; i < 400; ++i) {
    const std::string part(1 + i * 37 % 3000, static_cast<char>('a' + i % 26));
    const int64_t result = Write(pipe.write, part);
    if (result > 0) {
      written += part.substr(0, static_cast<size_t>(result));
    }
    read += Read(pipe.read, 1 + i * 53 % 2900).data;
  }
  while (true) {
    const Bytes rest = Read(pipe.read, 4096);
    if (rest.result <= 0) {
      break;
    }
    read += rest.data;
  }
  EXPECT_EQ(read, written);
}

TEST_F(PipeTest, FullAndEmptyWithoutWaiting) {
  const PipePair pipe = MakePipePair(kO_NONBLOCK);
  EXPECT_EQ(Read(pipe.read, 1), Got(Errno::kEAGAIN));
  EXPECT_EQ(Write(pipe.write, std::string(100000, 'x')), 65536);
  EXPECT_EQ(Write(pipe.write, "y"), Fails(Errno::kEAGAIN));
  EXPECT_EQ(Read(pipe.read, 100).result, 100);
  // A small write is all or nothing, a large one takes what room there is.
  EXPECT_EQ(Write(pipe.write, std::string(101, 'y')), Fails(Errno::kEAGAIN));
  EXPECT_EQ(Write(pipe.write, std::string(5000, 'y')), 100);
}

TEST_F(PipeTest, TheOtherEndIsGone) {
  const PipePair pipe = MakePipePair();
  Write(pipe.write, "last");
  Close(pipe.write);
  EXPECT_EQ(Read(pipe.read, 10), Got("last"));
  EXPECT_EQ(Read(pipe.read, 10), Got(""));
  const PipePair other = MakePipePair();
  Close(other.read);
  EXPECT_EQ(Write(other.write, "x"), Fails(Errno::kEPIPE));
  EXPECT_EQ(raised_signals().count, 1u);
  EXPECT_EQ(raised_signals().last, kBrokenPipeSignal);
}

TEST_F(PipeTest, AnEndIsGoneWithItsLastDescriptor) {
  const PipePair pipe = MakePipePair();
  const int twin = static_cast<int>(ResultOf(SysDup(pipe.write)));
  Close(pipe.write);
  EXPECT_EQ(Write(twin, "x"), 1);
  EXPECT_EQ(Read(pipe.read, 2), Got("x"));
  Close(twin);
  EXPECT_EQ(Read(pipe.read, 2), Got(""));
}

TEST_F(PipeTest, AReaderWaits) {
  const PipePair pipe = MakePipePair();
  const auto buffer = AllocateUser(100);
  std::atomic<int64_t> got{-1};
  FakeThread reader([&] { got = ReadAt(pipe.read, AddressOf(buffer), 100); });
  reader.WaitUntilAsleep();
  EXPECT_EQ(Write(pipe.write, "ping"), 4);
  reader.Join();
  EXPECT_EQ(got, 4);
  EXPECT_EQ(TextOf(buffer, 4), "ping");
}

TEST_F(PipeTest, AReaderIsToldOfTheEnd) {
  const PipePair pipe = MakePipePair();
  const auto buffer = AllocateUser(100);
  std::atomic<int64_t> got{-1};
  FakeThread reader([&] { got = ReadAt(pipe.read, AddressOf(buffer), 100); });
  reader.WaitUntilAsleep();
  Close(pipe.write);
  reader.Join();
  EXPECT_EQ(got, 0);
}

TEST_F(PipeTest, AWriterWaitsUntilAllIsWritten) {
  const PipePair pipe = MakePipePair();
  const std::string data(200000, 'd');
  const uint64_t text = UserString(data);
  std::atomic<int64_t> wrote{-1};
  FakeThread writer([&] { wrote = WriteAt(pipe.write, text, data.size()); });
  size_t total = 0;
  while (total < data.size()) {
    const Bytes part = Read(pipe.read, 10000);
    ASSERT_GT(part.result, 0);
    total += part.data.size();
  }
  writer.Join();
  EXPECT_EQ(wrote, 200000);
  EXPECT_EQ(total, 200000u);
}

TEST_F(PipeTest, SignalsEndASleep) {
  const PipePair pipe = MakePipePair();
  const auto buffer = AllocateUser(100);
  std::atomic<int64_t> got{0};
  FakeThread reader([&] { got = ReadAt(pipe.read, AddressOf(buffer), 100); });
  reader.WaitUntilAsleep();
  reader.Interrupt();
  reader.Join();
  EXPECT_EQ(got, Fails(Errno::kEINTR));
  // A writer that has written something tells how much.
  const uint64_t text = UserString(std::string(100000, 'x'));
  FakeThread writer([&] { got = WriteAt(pipe.write, text, 100000); });
  writer.WaitUntilAsleep();
  writer.Interrupt();
  writer.Join();
  EXPECT_EQ(got, 65536);
  FakeThread other([&] { got = WriteAt(pipe.write, text, 10); });
  other.WaitUntilAsleep();
  other.Interrupt();
  other.Join();
  EXPECT_EQ(got, Fails(Errno::kEINTR));
}

TEST_F(PipeTest, AWaitingWriterIsToldThatNobodyReads) {
  const PipePair pipe = MakePipePair();
  const uint64_t text = UserString(std::string(70000, 'x'));
  std::atomic<int64_t> first{0};
  std::atomic<int64_t> second{0};
  FakeThread writer([&] {
    first = WriteAt(pipe.write, text, 70000);
    second = WriteAt(pipe.write, text, 1);
  });
  writer.WaitUntilAsleep();
  Close(pipe.read);
  writer.Join();
  EXPECT_EQ(first, 65536);
  EXPECT_EQ(second, Fails(Errno::kEPIPE));
}

TEST_F(PipeTest, ManyReadersAndWriters) {
  const PipePair pipe = MakePipePair();
  constexpr int kPairs = 4;
  constexpr int kMessages = 2000;
  std::atomic<int64_t> sum{0};
  std::atomic<int> received{0};
  {
    std::vector<std::unique_ptr<FakeThread>> threads;
    for (int t = 0; t < kPairs; ++t) {
      const auto buffer = AllocateUser(8);
      threads.push_back(std::make_unique<FakeThread>([=, &sum, &received] {
        while (ReadAt(pipe.read, AddressOf(buffer), 8) == 8) {
          int64_t value;
          memcpy(&value, buffer.data(), 8);
          sum += value;
          ++received;
        }
      }));
    }
    {
      std::vector<std::unique_ptr<FakeThread>> writers;
      for (int t = 0; t < kPairs; ++t) {
        const auto buffer = AllocateUser(8);
        writers.push_back(std::make_unique<FakeThread>([=] {
          for (int64_t i = 1; i <= kMessages; ++i) {
            memcpy(buffer.data(), &i, 8);
            ASSERT_EQ(WriteAt(pipe.write, AddressOf(buffer), 8), 8);
          }
        }));
      }
    }
    Close(pipe.write);
  }
  EXPECT_EQ(received, kPairs * kMessages);
  EXPECT_EQ(sum, int64_t{kPairs} * kMessages * (kMessages + 1) / 2);
}

TEST_F(PipeTest, Faults) {
  const PipePair pipe = MakePipePair(kO_NONBLOCK);
  EXPECT_EQ(WriteAt(pipe.write, kBadAddress, 10), Fails(Errno::kEFAULT));
  Write(pipe.write, "0123456789");
  EXPECT_EQ(ReadAt(pipe.read, kBadAddress, 10), Fails(Errno::kEFAULT));
  const auto pages = AllocateUserPages(2);
  TakeUserPageAway(AddressOf(pages) + 4096);
  EXPECT_EQ(ReadAt(pipe.read, AddressOf(pages) + 4090, 10), 6);
  EXPECT_EQ(Read(pipe.read, 10), Got("6789"));
}

TEST_F(PipeTest, Flags) {
  const auto fds = AllocateUser(8);
  const UserOut<int32_t> to(AddressOf(fds));
  EXPECT_EQ(ResultOf(SysPipe2(to, kO_APPEND)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysPipe2(UserOut<int32_t>(kBadAddress), 0)), Fails(Errno::kEFAULT));
  const PipePair pipe = MakePipePair(kO_NONBLOCK | kO_CLOEXEC);
  EXPECT_EQ(pipe.read, 0);
  EXPECT_EQ(pipe.write, 1);
  EXPECT_EQ(ResultOf(SysFcntl(pipe.read, kF_GETFD, 0)), int64_t{kFD_CLOEXEC});
  EXPECT_EQ(ResultOf(SysFcntl(pipe.read, kF_GETFL, 0)), int64_t{kO_NONBLOCK | kO_RDONLY});
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_GETFL, 0)), int64_t{kO_NONBLOCK | kO_WRONLY});
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_SETFL, 0)), 0);
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_GETFL, 0)), int64_t{kO_WRONLY});
}

TEST_F(PipeTest, Capacity) {
  const PipePair pipe = MakePipePair(kO_NONBLOCK);
  EXPECT_EQ(ResultOf(SysFcntl(pipe.read, kF_GETPIPE_SZ, 0)), 65536);
  Write(pipe.write, "some data");
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_SETPIPE_SZ, 5000)), 8192);
  EXPECT_EQ(Read(pipe.read, 100), Got("some data"));
  EXPECT_EQ(Write(pipe.write, std::string(10000, 'x')), 8192);
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_SETPIPE_SZ, 4096)), Fails(Errno::kEBUSY));
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_SETPIPE_SZ, 1 << 20)), 1 << 20);
  EXPECT_EQ(ResultOf(SysFcntl(pipe.write, kF_SETPIPE_SZ, (1 << 20) + 1)), Fails(Errno::kEPERM));
  EXPECT_EQ(Write(pipe.write, std::string(10000, 'y')), 10000);
  EXPECT_EQ(Read(pipe.read, 20000).data, std::string(8192, 'x') + std::string(10000, 'y'));
  EXPECT_EQ(ResultOf(SysFcntl(Open("/tmp"), kF_GETPIPE_SZ, 0)), Fails(Errno::kEBADF));
  int32_t& filled = NewUser<int32_t>();
  Write(pipe.write, "1234");
  EXPECT_EQ(ResultOf(SysIoctl(pipe.read, kFIONREAD, AddressOf(filled))), 0);
  EXPECT_EQ(filled, 4);
}

TEST_F(PipeTest, WithoutMemory) {
  const auto fds = AllocateUser(8);
  for (uint64_t allowed = 0; allowed < 4; ++allowed) {
    FailAllocationsAfter(allowed);
    const int64_t result = ResultOf(SysPipe(UserOut<int32_t>(AddressOf(fds))));
    StopFailingAllocations();
    if (result == 0) {
      break;
    }
    EXPECT_EQ(result, Fails(Errno::kENOMEM));
  }
  FailAllocationsAfter(0);
  EXPECT_EQ(ResultOf(SysWrite(1, UserIn<std::byte>(AddressOf(fds)), 1)), Fails(Errno::kENOMEM));
}

// ---- FIFOs

TEST_F(PipeTest, OpeningAFifoWaitsForTheOtherSide) {
  Mknod("/tmp/fifo", kS_IFIFO | 0600);
  const uint64_t path = UserString("/tmp/fifo");
  std::atomic<int64_t> fd{-1};
  FakeThread reader([&] { fd = ResultOf(SysOpen(UserIn<char>(path), kO_RDONLY, 0)); });
  reader.WaitUntilAsleep();
  const int writer = Open("/tmp/fifo", kO_WRONLY);
  ASSERT_GE(writer, 0);
  reader.Join();
  ASSERT_GE(fd, 0);
  EXPECT_EQ(Write(writer, "through"), 7);
  EXPECT_EQ(Read(static_cast<int>(fd), 10), Got("through"));
  Close(writer);
  EXPECT_EQ(Read(static_cast<int>(fd), 10), Got(""));
}

TEST_F(PipeTest, AWriterThatCameAndWentWasThere) {
  Mknod("/tmp/fifo", kS_IFIFO | 0600);
  const uint64_t path = UserString("/tmp/fifo");
  std::atomic<int64_t> fd{-1};
  FakeThread reader([&] { fd = ResultOf(SysOpen(UserIn<char>(path), kO_RDONLY, 0)); });
  reader.WaitUntilAsleep();
  Close(Open("/tmp/fifo", kO_WRONLY));
  reader.Join();
  EXPECT_GE(fd, 0);
}

TEST_F(PipeTest, FifosWithoutWaiting) {
  Mknod("/tmp/fifo", kS_IFIFO | 0600);
  EXPECT_EQ(Open("/tmp/fifo", kO_WRONLY | kO_NONBLOCK), Fails(Errno::kENXIO));
  const int reader = Open("/tmp/fifo", kO_RDONLY | kO_NONBLOCK);
  EXPECT_GE(reader, 0);
  EXPECT_EQ(Read(reader, 1), Got(""));
  const int writer = Open("/tmp/fifo", kO_WRONLY | kO_NONBLOCK);
  EXPECT_GE(writer, 0);
  EXPECT_EQ(Read(reader, 1), Got(Errno::kEAGAIN));
  EXPECT_EQ(Write(writer, "x"), 1);
  EXPECT_EQ(Fstat(writer).stat.st_ino, Stat("/tmp/fifo").stat.st_ino);
  // Both sides at once never wait.
  const int both = Open("/tmp/fifo", kO_RDWR);
  EXPECT_EQ(Read(both, 5), Got("x"));
  Close(reader);
  Close(writer);
  Close(both);
  // Nothing is kept when all are gone.
  const int again = Open("/tmp/fifo", kO_RDWR | kO_NONBLOCK);
  EXPECT_EQ(Read(again, 5), Got(Errno::kEAGAIN));
}

TEST_F(PipeTest, WaitingForTheOtherSideCanBeInterrupted) {
  Mknod("/tmp/fifo", kS_IFIFO | 0600);
  const uint64_t path = UserString("/tmp/fifo");
  std::atomic<int64_t> fd{0};
  FakeThread writer([&] { fd = ResultOf(SysOpen(UserIn<char>(path), kO_WRONLY, 0)); });
  writer.WaitUntilAsleep();
  writer.Interrupt();
  writer.Join();
  EXPECT_EQ(fd, Fails(Errno::kEINTR));
  // It does not count any more.
  EXPECT_EQ(Read(Open("/tmp/fifo", kO_RDONLY | kO_NONBLOCK), 1), Got(""));
}

// ---- eventfd

class EventTest : public PipeTest {
 protected:
  static int Make(uint32_t initial, uint32_t flags = kO_NONBLOCK) {
    return static_cast<int>(ResultOf(SysEventfd2(initial, flags)));
  }
  static int64_t Add(int fd, uint64_t value) {
    return WriteAt(fd, AddressOf(NewUser<uint64_t>(value)), 8);
  }
  // The value, or the error.
  static int64_t Take(int fd) {
    uint64_t& value = NewUser<uint64_t>();
    const int64_t result = ReadAt(fd, AddressOf(value), 8);
    return result == 8 ? static_cast<int64_t>(value) : result;
  }
};

TEST_F(EventTest, Counts) {
  const int fd = Make(3);
  EXPECT_EQ(Add(fd, 4), 8);
  EXPECT_EQ(Take(fd), 7);
  EXPECT_EQ(Take(fd), Fails(Errno::kEAGAIN));
  EXPECT_EQ(Add(fd, ~uint64_t{0} - 1), 8);
  EXPECT_EQ(Add(fd, 1), Fails(Errno::kEAGAIN));
  EXPECT_EQ(Add(fd, ~uint64_t{0}), Fails(Errno::kEINVAL));
  EXPECT_EQ(Add(fd, 0), 8);
}

TEST_F(EventTest, CountsDownAsSemaphore) {
  const int fd = Make(2, kEFD_SEMAPHORE | kO_NONBLOCK);
  EXPECT_EQ(Take(fd), 1);
  EXPECT_EQ(Take(fd), 1);
  EXPECT_EQ(Take(fd), Fails(Errno::kEAGAIN));
}

TEST_F(EventTest, Errors) {
  const int fd = Make(0);
  EXPECT_EQ(Read(fd, 7), Got(Errno::kEINVAL));
  EXPECT_EQ(Write(fd, "1234567"), Fails(Errno::kEINVAL));
  EXPECT_EQ(WriteAt(fd, kBadAddress, 8), Fails(Errno::kEFAULT));
  EXPECT_EQ(ResultOf(SysEventfd2(0, 2)), Fails(Errno::kEINVAL));
  EXPECT_EQ(Pread(fd, 8, 0), Got(Errno::kESPIPE));
  EXPECT_EQ(Lseek(fd, 0, kSEEK_SET), Fails(Errno::kESPIPE));
}

TEST_F(EventTest, Waits) {
  const int fd = Make(0, 0);
  std::atomic<int64_t> got{0};
  FakeThread reader([&] { got = Take(fd); });
  reader.WaitUntilAsleep();
  Add(fd, 5);
  reader.Join();
  EXPECT_EQ(got, 5);
  Add(fd, ~uint64_t{0} - 1);
  FakeThread writer([&] { got = Add(fd, 9); });
  writer.WaitUntilAsleep();
  EXPECT_EQ(static_cast<uint64_t>(Take(fd)), ~uint64_t{0} - 1);
  writer.Join();
  EXPECT_EQ(Take(fd), 9);
  FakeThread interrupted([&] { got = Take(fd); });
  interrupted.WaitUntilAsleep();
  interrupted.Interrupt();
  interrupted.Join();
  EXPECT_EQ(got, Fails(Errno::kEINTR));
}

}  // namespace
}  // namespace nsgx::libos::testing
