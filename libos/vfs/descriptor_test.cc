// SPDX-License-Identifier: Apache-2.0
// Descriptors: the table, dup and its kin, fcntl, close_range, ioctls of every file.

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "libos/vfs/descriptor_table.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class DescriptorTest : public FilesTest {
 protected:
  static int64_t Fcntl(int fd, uint32_t command, uint64_t argument = 0) {
    return ResultOf(SysFcntl(fd, command, argument));
  }
  static bool IsOpen(int fd) { return Fcntl(fd, kF_GETFD) >= 0; }
};

TEST_F(DescriptorTest, Duplicates) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR | kO_CLOEXEC);
  EXPECT_EQ(ResultOf(SysDup(fd)), 1);
  EXPECT_EQ(Fcntl(1, kF_GETFD), 0);
  EXPECT_EQ(Fcntl(fd, kF_GETFD), int64_t{kFD_CLOEXEC});
  EXPECT_EQ(ResultOf(SysDup(99)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysDup2(fd, 7)), 7);
  EXPECT_EQ(ResultOf(SysDup2(fd, fd)), fd);
  EXPECT_EQ(ResultOf(SysDup2(99, 99)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysDup2(99, 3)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysDup2(fd, -1)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysDup2(fd, 1024)), Fails(Errno::kEBADF));
  EXPECT_EQ(ResultOf(SysDup3(fd, 8, kO_CLOEXEC)), 8);
  EXPECT_EQ(Fcntl(8, kF_GETFD), int64_t{kFD_CLOEXEC});
  EXPECT_EQ(ResultOf(SysDup3(fd, fd, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysDup3(fd, 9, kO_APPEND)), Fails(Errno::kEINVAL));
  // What was at the number is closed.
  const PipePair pipe = MakePipePair();
  EXPECT_EQ(ResultOf(SysDup2(fd, pipe.write)), pipe.write);
  EXPECT_EQ(Read(pipe.read, 1), Got(""));
}

TEST_F(DescriptorTest, DuplicatesFromANumberOn) {
  const int fd = Open("/dev/null");
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 10), 10);
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 10), 11);
  EXPECT_EQ(Fcntl(fd, kF_DUPFD_CLOEXEC, 0), 1);
  EXPECT_EQ(Fcntl(1, kF_GETFD), int64_t{kFD_CLOEXEC});
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 1024), Fails(Errno::kEINVAL));
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, ~uint64_t{0}), Fails(Errno::kEINVAL));
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 1023), 1023);
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 1023), Fails(Errno::kEMFILE));
}

TEST_F(DescriptorTest, Flags) {
  const int fd = Open("/tmp/a", kO_CREAT | kO_RDWR | kO_APPEND | kO_EXCL | kO_CLOEXEC);
  EXPECT_EQ(Fcntl(fd, kF_GETFL), int64_t{kO_RDWR | kO_APPEND | kO_LARGEFILE});
  EXPECT_EQ(Fcntl(fd, kF_SETFL, kO_NONBLOCK | kO_CREAT | kO_WRONLY), 0);
  EXPECT_EQ(Fcntl(fd, kF_GETFL), int64_t{kO_RDWR | kO_NONBLOCK | kO_LARGEFILE});
  EXPECT_EQ(Fcntl(fd, kF_SETFD, 0), 0);
  EXPECT_EQ(Fcntl(fd, kF_GETFD), 0);
  EXPECT_EQ(Fcntl(fd, kF_SETFD, 1), 0);
  EXPECT_EQ(Fcntl(fd, kF_GETFD), 1);
  EXPECT_EQ(Fcntl(fd, 12345), Fails(Errno::kEINVAL));
  EXPECT_EQ(Fcntl(99, kF_GETFL), Fails(Errno::kEBADF));
  EXPECT_EQ(Fcntl(99, kF_SETFD, 1), Fails(Errno::kEBADF));
  EXPECT_EQ(Fcntl(-1, kF_GETFD), Fails(Errno::kEBADF));
  EXPECT_EQ(Fcntl(fd, kF_GET_SEALS), Fails(Errno::kEINVAL));
}

TEST_F(DescriptorTest, IoctlsOfEveryFile) {
  const int fd = MakePipePair().read;
  EXPECT_EQ(ResultOf(SysIoctl(fd, kFIOCLEX, 0)), 0);
  EXPECT_EQ(Fcntl(fd, kF_GETFD), 1);
  EXPECT_EQ(ResultOf(SysIoctl(fd, kFIONCLEX, 0)), 0);
  EXPECT_EQ(Fcntl(fd, kF_GETFD), 0);
  const int32_t& on = NewUser<int32_t>(1);
  EXPECT_EQ(ResultOf(SysIoctl(fd, kFIONBIO, AddressOf(on))), 0);
  EXPECT_EQ(Read(fd, 1), Got(Errno::kEAGAIN));
  EXPECT_EQ(ResultOf(SysIoctl(fd, kFIONBIO, kBadAddress)), Fails(Errno::kEFAULT));
  EXPECT_EQ(ResultOf(SysIoctl(fd, kTIOCGWINSZ, AddressOf(on))), Fails(Errno::kENOTTY));
  EXPECT_EQ(ResultOf(SysIoctl(99, kFIOCLEX, 0)), Fails(Errno::kEBADF));
}

TEST_F(DescriptorTest, TheLimit) {
  process_files.descriptors.SetLimit(5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Open("/dev/null"), i);
  }
  EXPECT_EQ(Open("/tmp/new", kO_CREAT | kO_RDWR), Fails(Errno::kEMFILE));
  EXPECT_EQ(ResultOf(SysDup(0)), Fails(Errno::kEMFILE));
  const auto fds = AllocateUser(8);
  EXPECT_EQ(ResultOf(SysPipe(UserOut<int32_t>(AddressOf(fds)))), Fails(Errno::kEMFILE));
  Close(4);
  // One number is not enough for a pipe, and it is not lost.
  EXPECT_EQ(ResultOf(SysPipe(UserOut<int32_t>(AddressOf(fds)))), Fails(Errno::kEMFILE));
  EXPECT_EQ(ResultOf(SysEventfd(0)), 4);
}

TEST_F(DescriptorTest, CloseRange) {
  for (int i = 0; i < 20; ++i) {
    Open("/dev/null");
  }
  EXPECT_EQ(ResultOf(SysCloseRange(5, 9, 0)), 0);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(IsOpen(i), i < 5 || i > 9) << i;
  }
  EXPECT_EQ(ResultOf(SysCloseRange(15, 17, kCLOSE_RANGE_CLOEXEC)), 0);
  EXPECT_EQ(Fcntl(14, kF_GETFD), 0);
  EXPECT_EQ(Fcntl(15, kF_GETFD), 1);
  EXPECT_EQ(Fcntl(17, kF_GETFD), 1);
  EXPECT_EQ(Fcntl(18, kF_GETFD), 0);
  EXPECT_EQ(ResultOf(SysCloseRange(9, 5, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysCloseRange(5, 9, 1)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysCloseRange(3, ~0u, kCLOSE_RANGE_UNSHARE)), 0);
  EXPECT_TRUE(IsOpen(2));
  EXPECT_FALSE(IsOpen(3));
  EXPECT_FALSE(IsOpen(19));
}

TEST_F(DescriptorTest, ThousandsOfNumbers) {
  process_files.descriptors.SetLimit(DescriptorTable::kMaxDescriptors);
  const int fd = Open("/dev/null");
  for (int i = 1; i < 3000; ++i) {
    ASSERT_EQ(ResultOf(SysDup(fd)), i);
  }
  EXPECT_EQ(ResultOf(SysDup2(fd, 1'000'000)), 1'000'000);
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 999'999), 999'999);
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 999'999), 1'000'001);
  Close(1234);
  Close(300);
  EXPECT_EQ(ResultOf(SysDup(fd)), 300);
  EXPECT_EQ(ResultOf(SysDup(fd)), 1234);
  EXPECT_EQ(ResultOf(SysDup(fd)), 3000);
  EXPECT_EQ(process_files.descriptors.count(), 3004u);
}

TEST_F(DescriptorTest, TheTableBehavesAsASet) {
  process_files.descriptors.SetLimit(2000);
  DescriptorTable& table = process_files.descriptors;
  std::set<int> open = {Open("/dev/null")};
  std::mt19937 random(3);
  for (int step = 0; step < 20000; ++step) {
    const int number = static_cast<int>(random() % 700);
    switch (random() % 3) {
      case 0: {
        int expected = number;
        while (open.contains(expected)) {
          ++expected;
        }
        ASSERT_EQ(Fcntl(*open.begin(), kF_DUPFD, static_cast<uint64_t>(number)), expected);
        open.insert(expected);
        break;
      }
      case 1:
        if (open.size() > 1) {
          ASSERT_EQ(Close(number), open.contains(number) ? 0 : Fails(Errno::kEBADF));
          open.erase(number);
        }
        break;
      default: {
        const auto it = open.lower_bound(number);
        const auto next = table.Next(static_cast<uint32_t>(number));
        ASSERT_EQ(next.ok() ? next.value() : -1, it == open.end() ? -1 : *it);
        ASSERT_EQ(static_cast<bool>(table.Get(number)), open.contains(number));
        break;
      }
    }
  }
  EXPECT_EQ(table.count(), open.size());
}

TEST_F(DescriptorTest, NumbersAreLookedUpWhileTheyAreReused) {
  // Whatever a reader finds under a number is an open file that was there at some time.
  WriteWhole("/tmp/a", "a");
  WriteWhole("/tmp/b", "b");
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    const auto buffer = AllocateUser(8);
    readers.emplace_back([=, &stop] {
      while (!stop) {
        const int64_t got = ResultOf(SysPread64(0, UserOut<std::byte>(AddressOf(buffer)), 8, 0));
        ASSERT_TRUE(got == 1 || got == Fails(Errno::kEBADF)) << got;
        ASSERT_TRUE(got < 0 || buffer[0] == std::byte{'a'} || buffer[0] == std::byte{'b'});
      }
    });
  }
  const uint64_t a = UserString("/tmp/a");
  const uint64_t b = UserString("/tmp/b");
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(ResultOf(SysOpen(UserIn<char>(i % 2 == 0 ? a : b), kO_RDONLY, 0)), 0);
    if (i % 5 == 0) {
      const int64_t other = ResultOf(SysOpen(UserIn<char>(a), kO_RDONLY, 0));
      ResultOf(SysDup2(static_cast<int32_t>(other), 0));
      Close(static_cast<int>(other));
    }
    Close(0);
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
}

TEST_F(DescriptorTest, WithoutMemory) {
  const int fd = Open("/dev/null");
  FailAllocationsAfter(0);
  // A chunk of numbers that is not there yet.
  EXPECT_EQ(ResultOf(SysDup2(fd, 1000)), Fails(Errno::kENOMEM));
  EXPECT_EQ(Fcntl(fd, kF_DUPFD, 1000), Fails(Errno::kENOMEM));
  StopFailingAllocations();
  EXPECT_EQ(ResultOf(SysDup2(fd, 1000)), 1000);
}

}  // namespace
}  // namespace nsgx::libos::testing
