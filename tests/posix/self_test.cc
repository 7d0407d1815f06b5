// SPDX-License-Identifier: Apache-2.0
// Calls on processes, made on the one that there is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace {

TEST(Self, HasNoChildren) {
  int status = 0;
  EXPECT_EQ(waitpid(-1, &status, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(waitpid(-1, &status, 0x40), -1);
  EXPECT_EQ(errno, EINVAL);
  siginfo_t info;
  EXPECT_EQ(waitid(P_ALL, 0, &info, WEXITED), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(waitid(P_ALL, 0, &info, WNOHANG), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(waitid(P_PID, 0, &info, WEXITED), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Self, ReadsAndWritesItsMemory) {
  char from[] = "hello world";
  char to[16] = {};
  const iovec there[] = {{from, 5}, {from + 6, 5}};
  const iovec here[] = {{to, 3}, {to + 3, 13}};
  EXPECT_EQ(process_vm_readv(getpid(), here, 2, there, 2, 0), 10);
  EXPECT_EQ(std::string_view(to), "helloworld");
  EXPECT_EQ(process_vm_writev(getpid(), there, 1, here, 1, 0), 3);
  EXPECT_EQ(std::string_view(to), "helloworld");
  const iovec wild[] = {{reinterpret_cast<void*>(16), 4}};
  EXPECT_EQ(process_vm_readv(getpid(), here, 2, wild, 1, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(process_vm_readv(INT_MAX, here, 2, there, 1, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(process_vm_readv(getpid(), here, 2, there, 1, 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Self, ComparesWhatThreadsShare) {
  constexpr int kFile = 0, kVm = 1, kFiles = 2;
  const long tid = syscall(SYS_gettid);
  if (syscall(SYS_kcmp, getpid(), tid, kVm, 0, 0) == -1) {
    ASSERT_TRUE(errno == ENOSYS || errno == EPERM) << "a kernel without it";
    return;
  }
  EXPECT_EQ(syscall(SYS_kcmp, getpid(), tid, kFiles, 0, 0), 0);
  const int first = open("/dev/null", O_RDONLY);
  const int same = dup(first);
  const int other = open("/dev/null", O_RDONLY);
  EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), kFile, first, same), 0);
  const long order = syscall(SYS_kcmp, getpid(), getpid(), kFile, first, other);
  EXPECT_TRUE(order == 1 || order == 2);
  EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), kFile, other, first), 3 - order);
  EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), kFile, first, 9999), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(syscall(SYS_kcmp, getpid(), INT_MAX, kVm, 0, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  close(other);
  close(same);
  close(first);
}

TEST(Self, IsAFile) {
  const int self = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  ASSERT_GE(self, 0);
  EXPECT_EQ(fcntl(self, F_GETFD), FD_CLOEXEC);
  pollfd ready = {.fd = self, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0) << "it lives";
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, self, 0, nullptr, 0), 0);

  static volatile sig_atomic_t had = 0;
  const auto old = signal(SIGUSR1, [](int) { had = had + 1; });
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, self, SIGUSR1, nullptr, 0), 0);
  EXPECT_EQ(had, 1);
  signal(SIGUSR1, old);
  siginfo_t info = {};
  info.si_signo = SIGUSR2;
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, self, SIGUSR1, &info, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(syscall(SYS_pidfd_send_signal, 0, SIGUSR1, nullptr, 0), -1);
  EXPECT_EQ(errno, EBADF);

  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, self, ends[1], 0));
  ASSERT_GE(copy, 0);
  EXPECT_EQ(write(copy, "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  EXPECT_EQ(syscall(SYS_pidfd_getfd, self, 9999, 0), -1);
  EXPECT_EQ(errno, EBADF);

  void* const memory =
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 7, 8192);
  const iovec range = {memory, 8192};
  constexpr int kCold = 20;
  EXPECT_EQ(syscall(SYS_process_madvise, self, &range, 1, kCold, 0), 8192);
  EXPECT_EQ(static_cast<char*>(memory)[5000], 7);
  EXPECT_EQ(syscall(SYS_process_madvise, self, &range, 1, kCold, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  munmap(memory, 8192);

  EXPECT_EQ(syscall(SYS_pidfd_open, INT_MAX, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(syscall(SYS_pidfd_open, -1, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  for (const int fd : {copy, ends[0], ends[1], self}) {
    close(fd);
  }
}

TEST(Self, TellsCapabilities) {
  struct {
    uint32_t version;
    int pid;
  } header = {.version = 0, .pid = 0};
  uint32_t sets[2][3];
  memset(sets, 0xee, sizeof(sets));
  EXPECT_EQ(syscall(SYS_capget, &header, nullptr), 0);
  EXPECT_EQ(header.version, 0x20080522u);
  EXPECT_EQ(syscall(SYS_capget, &header, sets), 0);
  EXPECT_EQ(sets[0][0] & ~sets[0][1], 0u) << "what is effective is permitted";
  EXPECT_EQ((sets[0][0] & 1) != 0, geteuid() == 0) << "only root may give files away";
  EXPECT_EQ(syscall(SYS_capset, &header, sets), 0);
  sets[1][0] = ~0u;
  sets[1][1] = ~0u;
  sets[0][1] = ~0u;
  EXPECT_EQ(syscall(SYS_capset, &header, sets), -1) << "nobody can give himself more";
  EXPECT_EQ(errno, EPERM);
  header.version = 5;
  EXPECT_EQ(syscall(SYS_capget, &header, sets), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Self, KeepsIoPriorityAndPersonality) {
  constexpr int kProcess = 1, kBestEffort = 2 << 13, kIdle = 3 << 13;
  EXPECT_EQ(syscall(SYS_ioprio_set, kProcess, 0, kBestEffort | 5), 0);
  EXPECT_EQ(syscall(SYS_ioprio_get, kProcess, 0), kBestEffort | 5);
  EXPECT_EQ(syscall(SYS_ioprio_set, kProcess, 0, kIdle), 0);
  EXPECT_EQ(syscall(SYS_ioprio_get, kProcess, 0), kIdle);
  EXPECT_EQ(syscall(SYS_ioprio_set, kProcess, 0, 5), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(syscall(SYS_ioprio_set, 9, 0, kIdle), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(syscall(SYS_ioprio_get, kProcess, INT_MAX), -1);
  EXPECT_EQ(errno, ESRCH);
  constexpr unsigned kAsk = 0xffffffff, kNoRandomize = 0x40000;
  const long before = syscall(SYS_personality, kAsk);
  EXPECT_EQ(syscall(SYS_personality, before | kNoRandomize), before);
  EXPECT_EQ(syscall(SYS_personality, kAsk), before | kNoRandomize);
  EXPECT_EQ(syscall(SYS_personality, before), before | kNoRandomize);
}

}  // namespace
