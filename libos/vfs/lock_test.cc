// SPDX-License-Identifier: Apache-2.0
// Advisory locks: fcntl of the process and of open files, flock.

#include <atomic>
#include <map>
#include <random>

#include "libos/vfs/file_lock.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

class LockTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    first_ = Open("/tmp/file", kO_CREAT | kO_RDWR);
    second_ = Open("/tmp/file", kO_RDWR);
  }

  static LinuxFlock Lock(int16_t type, int64_t start, int64_t size) {
    return {.l_type = type,
            .l_whence = 0,
            .padding0 = 0,
            .l_start = start,
            .l_len = size,
            .l_pid = 0,
            .padding1 = 0};
  }
  static int64_t Call(int fd, uint32_t command, const LinuxFlock& lock) {
    return ResultOf(SysFcntl(fd, command, AddressOf(NewUser<LinuxFlock>(lock))));
  }
  static int64_t SetOwn(int fd, int16_t type, int64_t start, int64_t size) {
    return Call(fd, kF_OFD_SETLK, Lock(type, start, size));
  }
  static LinuxFlock Query(int fd, uint32_t command, int16_t type, int64_t start, int64_t size) {
    LinuxFlock& lock = NewUser<LinuxFlock>(Lock(type, start, size));
    EXPECT_EQ(ResultOf(SysFcntl(fd, command, AddressOf(lock))), 0);
    return lock;
  }
  static int64_t Flock(int fd, uint32_t operation) { return ResultOf(SysFlock(fd, operation)); }

  int first_ = -1;
  int second_ = -1;
};

TEST_F(LockTest, TheProcessDoesNotExcludeItself) {
  EXPECT_EQ(Call(first_, kF_SETLK, Lock(kF_WRLCK, 0, 0)), 0);
  EXPECT_EQ(Call(second_, kF_SETLK, Lock(kF_WRLCK, 0, 0)), 0);
  EXPECT_EQ(Query(second_, kF_GETLK, kF_WRLCK, 0, 0).l_type, kF_UNLCK);
}

TEST_F(LockTest, OpenFilesExcludeEachOther) {
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, 10, 10), 0);
  EXPECT_EQ(SetOwn(second_, kF_RDLCK, 0, 11), Fails(Errno::kEAGAIN));
  EXPECT_EQ(SetOwn(second_, kF_RDLCK, 19, 0), Fails(Errno::kEAGAIN));
  EXPECT_EQ(SetOwn(second_, kF_RDLCK, 0, 10), 0);
  EXPECT_EQ(SetOwn(second_, kF_RDLCK, 20, 0), 0);
  EXPECT_EQ(Call(second_, kF_SETLK, Lock(kF_WRLCK, 15, 1)), Fails(Errno::kEAGAIN));
  // Shared locks do not exclude shared ones.
  EXPECT_EQ(SetOwn(first_, kF_RDLCK, 0, 5), 0);
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, 0, 5), Fails(Errno::kEAGAIN));
  EXPECT_EQ(SetOwn(first_, kF_UNLCK, 10, 5), 0);
  EXPECT_EQ(SetOwn(second_, kF_WRLCK, 10, 5), 0);
  EXPECT_EQ(SetOwn(second_, kF_WRLCK, 10, 6), Fails(Errno::kEAGAIN));
}

TEST_F(LockTest, WhoIsInTheWayIsTold) {
  SetOwn(first_, kF_WRLCK, 10, 10);
  const LinuxFlock other = Query(second_, kF_OFD_GETLK, kF_RDLCK, 0, 0);
  EXPECT_EQ(other.l_type, kF_WRLCK);
  EXPECT_EQ(other.l_start, 10);
  EXPECT_EQ(other.l_len, 10);
  EXPECT_EQ(other.l_pid, -1);
  EXPECT_EQ(Query(first_, kF_OFD_GETLK, kF_WRLCK, 0, 0).l_type, kF_UNLCK);
  EXPECT_EQ(Query(second_, kF_OFD_GETLK, kF_WRLCK, 0, 10).l_type, kF_UNLCK);
  Call(first_, kF_SETLK, Lock(kF_RDLCK, 100, 0));
  const LinuxFlock process = Query(second_, kF_OFD_GETLK, kF_WRLCK, 50, 0);
  EXPECT_EQ(process.l_type, kF_RDLCK);
  EXPECT_EQ(process.l_start, 100);
  EXPECT_EQ(process.l_len, 0);
  EXPECT_EQ(process.l_pid, 1);
}

TEST_F(LockTest, PlacesAreMeantAsSeekMeansThem) {
  Write(first_, std::string(100, 'x'));
  Lseek(first_, 40, kSEEK_SET);
  LinuxFlock lock = Lock(kF_WRLCK, -10, 5);
  lock.l_whence = kSEEK_CUR;
  EXPECT_EQ(Call(first_, kF_OFD_SETLK, lock), 0);
  EXPECT_EQ(Query(second_, kF_OFD_GETLK, kF_RDLCK, 0, 0).l_start, 30);
  SetOwn(first_, kF_UNLCK, 0, 0);
  lock = Lock(kF_WRLCK, -10, 0);
  lock.l_whence = kSEEK_END;
  EXPECT_EQ(Call(first_, kF_OFD_SETLK, lock), 0);
  EXPECT_EQ(Query(second_, kF_OFD_GETLK, kF_RDLCK, 0, 0).l_start, 90);
  SetOwn(first_, kF_UNLCK, 0, 0);
  // A negative length lies before the start.
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, 50, -10), 0);
  EXPECT_EQ(Query(second_, kF_OFD_GETLK, kF_RDLCK, 0, 0).l_start, 40);
  EXPECT_EQ(Query(second_, kF_OFD_GETLK, kF_RDLCK, 0, 0).l_len, 10);
}

TEST_F(LockTest, Errors) {
  EXPECT_EQ(SetOwn(first_, 7, 0, 0), Fails(Errno::kEINVAL));
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, -1, 0), Fails(Errno::kEINVAL));
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, 5, -6), Fails(Errno::kEINVAL));
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, INT64_MAX, 2), Fails(Errno::kEOVERFLOW));
  LinuxFlock lock = Lock(kF_WRLCK, 0, 0);
  lock.l_whence = 9;
  EXPECT_EQ(Call(first_, kF_SETLK, lock), Fails(Errno::kEINVAL));
  lock = Lock(kF_WRLCK, 0, 0);
  lock.l_pid = 5;
  EXPECT_EQ(Call(first_, kF_OFD_SETLK, lock), Fails(Errno::kEINVAL));
  EXPECT_EQ(Call(first_, kF_GETLK, Lock(kF_UNLCK, 0, 0)), Fails(Errno::kEINVAL));
  EXPECT_EQ(ResultOf(SysFcntl(first_, kF_SETLK, kBadAddress)), Fails(Errno::kEFAULT));
  EXPECT_EQ(SetOwn(Open("/tmp/file", kO_RDONLY), kF_WRLCK, 0, 0), Fails(Errno::kEBADF));
  EXPECT_EQ(SetOwn(Open("/tmp/file", kO_WRONLY), kF_RDLCK, 0, 0), Fails(Errno::kEBADF));
  EXPECT_EQ(SetOwn(99, kF_WRLCK, 0, 0), Fails(Errno::kEBADF));
  FailAllocationsAfter(0);
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, 0, 0), Fails(Errno::kENOLCK));
  EXPECT_EQ(Flock(first_, kLOCK_EX), Fails(Errno::kENOLCK));
}

TEST_F(LockTest, WaitingForARange) {
  SetOwn(first_, kF_WRLCK, 0, 100);
  std::atomic<int64_t> result{-1};
  FakeThread waiter([&] { result = Call(second_, kF_OFD_SETLKW, Lock(kF_WRLCK, 50, 1)); });
  waiter.WaitUntilAsleep();
  SetOwn(first_, kF_UNLCK, 0, 10);
  EXPECT_EQ(result, -1);
  SetOwn(first_, kF_RDLCK, 50, 10);  // not enough
  SetOwn(first_, kF_UNLCK, 50, 10);
  waiter.Join();
  EXPECT_EQ(result, 0);
  FakeThread interrupted([&] { result = Call(second_, kF_OFD_SETLKW, Lock(kF_WRLCK, 20, 1)); });
  interrupted.WaitUntilAsleep();
  interrupted.Interrupt();
  interrupted.Join();
  EXPECT_EQ(result, Fails(Errno::kEINTR));
}

TEST_F(LockTest, ClosingReleases) {
  SetOwn(first_, kF_WRLCK, 0, 0);
  const int twin = static_cast<int>(ResultOf(SysDup(first_)));
  Close(first_);
  EXPECT_EQ(SetOwn(second_, kF_WRLCK, 0, 0), Fails(Errno::kEAGAIN));
  Close(twin);
  EXPECT_EQ(SetOwn(second_, kF_WRLCK, 0, 0), 0);
  SetOwn(second_, kF_UNLCK, 0, 0);
  // The process's locks go with any descriptor of the file.
  const int third = Open("/tmp/file", kO_RDWR);
  EXPECT_EQ(Call(second_, kF_SETLK, Lock(kF_WRLCK, 0, 0)), 0);
  EXPECT_EQ(SetOwn(third, kF_WRLCK, 0, 0), Fails(Errno::kEAGAIN));
  Close(Open("/tmp/file"));
  EXPECT_EQ(SetOwn(third, kF_WRLCK, 0, 0), 0);
}

TEST_F(LockTest, RangesBehaveAsBytes) {
  // Two open files lock random ranges of a small file; a table of bytes tells what is right.
  std::mt19937 random(11);
  constexpr int kBytes = 40;
  struct Byte {
    int shared[2] = {};
    int exclusive[2] = {};
  };
  Byte bytes[kBytes];
  for (int step = 0; step < 5000; ++step) {
    const size_t who = random() % 2;
    const int fd = who == 0 ? first_ : second_;
    const int start = static_cast<int>(random() % kBytes);
    const int size = 1 + static_cast<int>(random() % static_cast<uint32_t>(kBytes - start));
    const int16_t type = static_cast<int16_t>(random() % 3);
    bool free = true;
    for (int i = start; i < start + size; ++i) {
      free = free && bytes[i].exclusive[1 - who] == 0 &&
             (type != kF_WRLCK || bytes[i].shared[1 - who] == 0);
    }
    const bool expected = type == kF_UNLCK || free;
    ASSERT_EQ(SetOwn(fd, type, start, size), expected ? 0 : Fails(Errno::kEAGAIN)) << step;
    if (expected) {
      for (int i = start; i < start + size; ++i) {
        bytes[i].shared[who] = type == kF_RDLCK;
        bytes[i].exclusive[who] = type == kF_WRLCK;
      }
    }
    const int at = static_cast<int>(random() % kBytes);
    const bool taken = bytes[at].shared[1 - who] + bytes[at].exclusive[1 - who] != 0;
    ASSERT_EQ(Query(fd, kF_OFD_GETLK, kF_WRLCK, at, 1).l_type != kF_UNLCK, taken) << step;
    if (step % 500 == 0) {
      ResetUserArena();
    }
  }
}

TEST_F(LockTest, WholeFiles) {
  EXPECT_EQ(Flock(first_, kLOCK_SH), 0);
  EXPECT_EQ(Flock(second_, kLOCK_SH), 0);
  EXPECT_EQ(Flock(second_, kLOCK_EX | kLOCK_NB), Fails(Errno::kEAGAIN));
  // What was held is lost by the attempt.
  EXPECT_EQ(Flock(first_, kLOCK_EX | kLOCK_NB), 0);
  EXPECT_EQ(Flock(second_, kLOCK_SH | kLOCK_NB), Fails(Errno::kEAGAIN));
  EXPECT_EQ(Flock(first_, kLOCK_EX | kLOCK_NB), 0);
  EXPECT_EQ(Flock(first_, kLOCK_UN), 0);
  EXPECT_EQ(Flock(second_, kLOCK_EX | kLOCK_NB), 0);
  EXPECT_EQ(Flock(first_, 0), Fails(Errno::kEINVAL));
  EXPECT_EQ(Flock(first_, kLOCK_SH | kLOCK_EX), Fails(Errno::kEINVAL));
  EXPECT_EQ(Flock(99, kLOCK_SH), Fails(Errno::kEBADF));
  // Both kinds of lock know nothing of each other.
  EXPECT_EQ(SetOwn(first_, kF_WRLCK, 0, 0), 0);
  Close(second_);
  EXPECT_EQ(Flock(first_, kLOCK_EX | kLOCK_NB), 0);
}

TEST_F(LockTest, WaitingForAWholeFile) {
  Flock(first_, kLOCK_EX);
  std::atomic<int64_t> result{-1};
  FakeThread waiter([&] { result = Flock(second_, kLOCK_SH); });
  waiter.WaitUntilAsleep();
  Flock(first_, kLOCK_SH);
  waiter.Join();
  EXPECT_EQ(result, 0);
  FakeThread interrupted([&] { result = Flock(second_, kLOCK_EX); });
  interrupted.WaitUntilAsleep();
  interrupted.Interrupt();
  interrupted.Join();
  EXPECT_EQ(result, Fails(Errno::kEINTR));
}

}  // namespace
}  // namespace nsgx::libos::testing
