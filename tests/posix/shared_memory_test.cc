// SPDX-License-Identifier: Apache-2.0
// Shared mappings: of one file at several addresses, together with read and write, while it grows
// and shrinks, from several threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPage = 4096;

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

class SharedFile {
 public:
  explicit SharedFile(size_t size, unsigned flags = 0) : fd_(memfd_create("shared", flags)) {
    EXPECT_GE(fd_, 0);
    EXPECT_EQ(ftruncate(fd_, static_cast<off_t>(size)), 0);
  }
  ~SharedFile() { close(fd_); }
  int fd() const { return fd_; }

  char* Map(size_t size, int protection = PROT_READ | PROT_WRITE, off_t offset = 0,
            int flags = MAP_SHARED) const {
    void* memory = mmap(nullptr, size, protection, flags, fd_, offset);
    return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
  }
  std::string Read(size_t size, off_t offset) const {
    std::string text(size, '?');
    EXPECT_EQ(pread(fd_, text.data(), size, offset), static_cast<ssize_t>(size));
    return text;
  }

 private:
  int fd_;
};

TEST(SharedMapping, AndReadAndWriteSeeEachOther) {
  SharedFile file(4 * kPage);
  char* memory = file.Map(4 * kPage);
  ASSERT_NE(memory, nullptr);
  for (int round = 0; round < 20; ++round) {
    const char letter = static_cast<char>('a' + round);
    memory[5] = letter;
    memory[2 * kPage] = letter;
    EXPECT_EQ(file.Read(1, 5)[0], letter);
    EXPECT_EQ(file.Read(3 * kPage, 5)[2 * kPage - 5], letter) << "a large read";
    EXPECT_EQ(pwrite(file.fd(), "xy", 2, 6), 2);
    EXPECT_EQ(std::string(memory + 5, 3), std::string(1, letter) + "xy");
    const std::string large(2 * kPage, static_cast<char>('A' + round));
    EXPECT_EQ(pwrite(file.fd(), large.data(), large.size(), kPage),
              static_cast<ssize_t>(large.size()));
    EXPECT_EQ(memory[kPage], 'A' + round);
    EXPECT_EQ(memory[3 * kPage - 1], 'A' + round);
    EXPECT_EQ(memory[3 * kPage], 0);
    EXPECT_EQ(memory[5], letter);
  }
  EXPECT_EQ(munmap(memory, 4 * kPage), 0);
  EXPECT_EQ(file.Read(3, 5), "txy");
}

TEST(SharedMapping, TwiceIsTheSame) {
  SharedFile file(2 * kPage);
  char* first = file.Map(2 * kPage);
  char* second = file.Map(kPage, PROT_READ | PROT_WRITE, kPage);
  char* reader = file.Map(2 * kPage, PROT_READ);
  ASSERT_TRUE(first != nullptr && second != nullptr && reader != nullptr);
  for (int round = 1; round < 50; ++round) {
    first[kPage + 7] = static_cast<char>(round);
    ASSERT_EQ(second[7], round);
    ASSERT_EQ(reader[kPage + 7], round);
    second[8] = static_cast<char>(-round);
    ASSERT_EQ(first[kPage + 8], -round);
    ASSERT_EQ(reader[kPage + 8], -round);
  }
  EXPECT_EQ(munmap(first, 2 * kPage), 0);
  EXPECT_EQ(second[7], 49);
  second[7] = 50;
  EXPECT_EQ(reader[kPage + 7], 50);
  munmap(second, kPage);
  munmap(reader, 2 * kPage);
}

// Threads count in one word through mappings of their own: no increment is lost.
TEST(SharedMapping, AtomicsHoldAcrossMappings) {
  SharedFile file(kPage);
  constexpr int kThreads = 4, kRounds = 2000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      auto* counter = reinterpret_cast<std::atomic<int>*>(file.Map(kPage));
      for (int round = 0; round < kRounds; ++round) {
        counter->fetch_add(1);
      }
      munmap(counter, kPage);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  int total = 0;
  EXPECT_EQ(pread(file.fd(), &total, sizeof(total), 0), 4);
  EXPECT_EQ(total, kThreads * kRounds);
}

// Writes by call and by memory to bytes next to each other, at once: none is lost.
TEST(SharedMapping, WritesOfBothKindsAtOnce) {
  SharedFile file(8 * kPage);
  char* memory = file.Map(8 * kPage);
  ASSERT_NE(memory, nullptr);
  constexpr size_t kRounds = 300;
  std::thread writer([&] {
    for (size_t i = 0; i < kRounds; ++i) {
      const std::string block(kPage, 'w');
      EXPECT_EQ(pwrite(file.fd(), block.data(), 100, static_cast<off_t>(i % 8 * kPage)), 100);
      EXPECT_EQ(pwrite(file.fd(), block.data(), 1000, static_cast<off_t>(i % 8 * kPage)), 1000);
    }
  });
  for (size_t i = 0; i < kRounds; ++i) {
    volatile char* byte = memory + i % 8 * kPage + 2000 + i;
    *byte = 'm';
  }
  writer.join();
  for (size_t i = 0; i < kRounds; ++i) {
    ASSERT_EQ(memory[i % 8 * kPage + 2000 + i], 'm') << i;
    ASSERT_EQ(file.Read(1, static_cast<off_t>(i % 8 * kPage) + 999), "w") << i;
  }
  // Out of the mapping into the same file.
  EXPECT_EQ(pwrite(file.fd(), memory, 4 * kPage, 2 * kPage), static_cast<ssize_t>(4 * kPage));
  munmap(memory, 8 * kPage);
}

sigjmp_buf jump;
volatile sig_atomic_t last_signal;

int SignalOf(volatile char* address) {
  struct sigaction action = {}, old_segv, old_bus;
  action.sa_handler = [](int signal) {
    last_signal = signal;
    siglongjmp(jump, 1);
  };
  sigaction(SIGSEGV, &action, &old_segv);
  sigaction(SIGBUS, &action, &old_bus);
  last_signal = 0;
  if (sigsetjmp(jump, 1) == 0) {
    static_cast<void>(*address);
  }
  sigaction(SIGSEGV, &old_segv, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
  return last_signal;
}

TEST(SharedMapping, FollowsTheSizeOfTheFile) {
  SharedFile file(kPage + 100);
  char* memory = file.Map(4 * kPage);
  ASSERT_NE(memory, nullptr);
  memory[kPage] = 'x';
  EXPECT_EQ(SignalOf(memory + 2 * kPage), SIGBUS);
  ASSERT_EQ(ftruncate(file.fd(), 3 * kPage), 0);
  memory[2 * kPage] = 'y';
  EXPECT_EQ(file.Read(1, 2 * kPage), "y");
  ASSERT_EQ(ftruncate(file.fd(), kPage), 0);
  EXPECT_EQ(SignalOf(memory + kPage), SIGBUS);
  EXPECT_EQ(SignalOf(memory + 2 * kPage), SIGBUS);
  ASSERT_EQ(ftruncate(file.fd(), 3 * kPage), 0);
  EXPECT_EQ(memory[kPage], 0) << "what was cut off comes back";
  EXPECT_EQ(memory[2 * kPage], 0);
  munmap(memory, 4 * kPage);
}

TEST(SharedMapping, RightsChange) {
  SharedFile file(kPage);
  char* memory = file.Map(kPage);
  ASSERT_NE(memory, nullptr);
  memory[0] = 'a';
  ASSERT_EQ(mprotect(memory, kPage, PROT_NONE), 0);
  EXPECT_EQ(SignalOf(memory), SIGSEGV);
  EXPECT_EQ(file.Read(1, 0), "a");
  EXPECT_EQ(pwrite(file.fd(), "b", 1, 0), 1);
  ASSERT_EQ(mprotect(memory, kPage, PROT_READ), 0);
  EXPECT_EQ(memory[0], 'b');
  ASSERT_EQ(mprotect(memory, kPage, PROT_READ | PROT_WRITE), 0);
  memory[0] = 'c';
  EXPECT_EQ(msync(memory, kPage, MS_SYNC), 0);
  EXPECT_EQ(file.Read(1, 0), "c");
  EXPECT_EQ(madvise(memory, kPage, MADV_DONTNEED), 0);
  EXPECT_EQ(memory[0], 'c');
  munmap(memory, kPage);
}

// The time of the last change in seconds, which the test has set to `kLongAgo` before.
constexpr time_t kLongAgo = 1000;
void SetLongAgo(const SharedFile& file) {
  const timespec times[2] = {{.tv_sec = kLongAgo, .tv_nsec = 0},
                             {.tv_sec = kLongAgo, .tv_nsec = 0}};
  ASSERT_EQ(futimens(file.fd(), times), 0);
}
time_t ModifiedAt(const SharedFile& file) {
  struct stat status = {};
  EXPECT_EQ(fstat(file.fd(), &status), 0);
  return status.st_mtim.tv_sec;
}

TEST(SharedMapping, ChangesTheTimeOfTheFileWhenItIsWrittenTo) {
  SharedFile file(2 * kPage);
  SetLongAgo(file);
  char* memory = file.Map(2 * kPage);
  ASSERT_NE(memory, nullptr);
  memory[0] = 'a';
  EXPECT_EQ(msync(memory, 2 * kPage, MS_SYNC), 0);
  EXPECT_GT(ModifiedAt(file), kLongAgo);
  memory[0] = 'b';
  EXPECT_EQ(file.Read(1, 0), "b");
  munmap(memory, 2 * kPage);

  SetLongAgo(file);
  memory = file.Map(2 * kPage);
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory[0], 'b');
  EXPECT_EQ(msync(memory, 2 * kPage, MS_SYNC), 0);
  munmap(memory, 2 * kPage);
  EXPECT_EQ(ModifiedAt(file), kLongAgo) << "was only read";
}

TEST(SharedMapping, MovesAndGrows) {
  SharedFile file(4 * kPage);
  char* memory = file.Map(2 * kPage);
  ASSERT_NE(memory, nullptr);
  memory[kPage] = 'a';
  void* moved = mremap(memory, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE);
  ASSERT_NE(moved, MAP_FAILED);
  char* bytes = static_cast<char*>(moved);
  EXPECT_EQ(bytes[kPage], 'a');
  bytes[3 * kPage] = 'b';
  EXPECT_EQ(file.Read(1, 3 * kPage), "b");
  munmap(moved, 4 * kPage);
}

TEST(SharedMapping, PrivateOneSeesWhatWasWritten) {
  SharedFile file(kPage);
  char* shared = file.Map(kPage);
  ASSERT_NE(shared, nullptr);
  shared[1] = 's';
  char* own = file.Map(kPage, PROT_READ | PROT_WRITE, 0, MAP_PRIVATE);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own[1], 's');
  own[1] = 'p';
  EXPECT_EQ(shared[1], 's');
  EXPECT_EQ(file.Read(1, 1), "s");
  munmap(own, kPage);
  munmap(shared, kPage);
}

TEST(SharedMapping, SealsAreKept) {
  SharedFile file(kPage, MFD_ALLOW_SEALING);
  char* memory = file.Map(kPage);
  ASSERT_NE(memory, nullptr);
  memory[0] = 'a';
  EXPECT_EQ(fcntl(file.fd(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  EXPECT_EQ(errno, EBUSY);
  munmap(memory, kPage);
  EXPECT_EQ(fcntl(file.fd(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
  EXPECT_EQ(file.Map(kPage), nullptr);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(pwrite(file.fd(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(file.fd(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  char* reader = file.Map(kPage, PROT_READ, 0, MAP_PRIVATE);
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader[0], 'a');
  munmap(reader, kPage);
}

TEST(SharedMapping, OfPosixSharedMemory) {
  mkdir("/dev/shm", 01777);  // there already, but for small roots
  const int fd = shm_open("/nsgx-test", O_CREAT | O_RDWR | O_EXCL, 0600);
  if (fd < 0 && errno == ENOENT) {
    GTEST_SKIP() << "there is no /dev/shm";
  }
  ASSERT_GE(fd, 0);
  ASSERT_EQ(ftruncate(fd, kPage), 0);
  char* first = static_cast<char*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  const int again = shm_open("/nsgx-test", O_RDWR, 0);
  ASSERT_GE(again, 0);
  char* second =
      static_cast<char*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0));
  ASSERT_TRUE(first != MAP_FAILED && second != MAP_FAILED);
  EXPECT_EQ(shm_unlink("/nsgx-test"), 0);
  close(fd);
  close(again);
  strcpy(first, "hello");
  EXPECT_STREQ(second, "hello");
  munmap(first, kPage);
  EXPECT_STREQ(second, "hello");
  munmap(second, kPage);
}

TEST(PrivateMapping, MovesAndLeavesTheOldPlaceEmpty) {
  char* memory = static_cast<char*>(
      mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  memory[0] = 'a';
  memory[kPage] = 'b';
  void* moved = mremap(memory, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  ASSERT_NE(moved, MAP_FAILED);
  ASSERT_NE(moved, memory);
  EXPECT_EQ(static_cast<char*>(moved)[0], 'a');
  EXPECT_EQ(static_cast<char*>(moved)[kPage], 'b');
  EXPECT_EQ(memory[0], 0);
  memory[kPage] = 'c';
  EXPECT_EQ(static_cast<char*>(moved)[kPage], 'b');
  EXPECT_EQ(mremap(memory, kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), MAP_FAILED);
  EXPECT_EQ(errno, EINVAL);
  munmap(memory, 2 * kPage);
  munmap(moved, 2 * kPage);
}

}  // namespace
