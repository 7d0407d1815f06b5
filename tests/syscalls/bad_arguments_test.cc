// SPDX-License-Identifier: Apache-2.0
// What calls answer to pointers that lead nowhere, descriptors that are closed and sizes that are
// too large: Linux says what is right, as the native twin runs the same.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>

namespace {

constexpr long kNowhere = 0x10;
constexpr long kKernel = static_cast<long>(0xffff800000001000);
constexpr long kClosed = 999;

struct Row {
  const char* what;
  long number;
  long a[6];
  int error;
};

void Check(const Row& row) {
  const long result =
      syscall(row.number, row.a[0], row.a[1], row.a[2], row.a[3], row.a[4], row.a[5]);
  const int error = result == -1 ? errno : 0;
  EXPECT_EQ(error, row.error) << row.what;
}

TEST(BadArguments, PointersThatLeadNowhere) {
  for (long pointer : {kNowhere, kKernel}) {
    const Row rows[] = {
        {"open", SYS_open, {pointer, O_RDONLY}, EFAULT},
        {"stat", SYS_stat, {pointer, pointer}, EFAULT},
        {"stat into", SYS_stat, {reinterpret_cast<long>("/"), pointer}, EFAULT},
        {"access", SYS_access, {pointer, 0}, EFAULT},
        {"pipe", SYS_pipe, {pointer}, EFAULT},
        {"nanosleep", SYS_nanosleep, {pointer, 0}, EFAULT},
        {"gettimeofday", SYS_gettimeofday, {pointer, 0}, EFAULT},
        {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, pointer}, EFAULT},
        {"clock_getres", SYS_clock_getres, {CLOCK_MONOTONIC, pointer}, EFAULT},
        {"getrusage", SYS_getrusage, {0, pointer}, EFAULT},
        {"times", SYS_times, {pointer}, EFAULT},
        {"uname", SYS_uname, {pointer}, EFAULT},
        {"sysinfo", SYS_sysinfo, {pointer}, EFAULT},
        {"getcwd", SYS_getcwd, {pointer, 100}, EFAULT},
        {"getrandom", SYS_getrandom, {pointer, 16, 0}, EFAULT},
        {"getrlimit", SYS_getrlimit, {0, pointer}, EFAULT},
        {"setrlimit", SYS_setrlimit, {0, pointer}, EFAULT},
        {"getitimer", SYS_getitimer, {0, pointer}, EFAULT},
        {"timer_create", SYS_timer_create, {CLOCK_MONOTONIC, pointer, pointer}, EFAULT},
        {"sigaltstack", SYS_sigaltstack, {pointer, 0}, EFAULT},
        {"rt_sigaction", SYS_rt_sigaction, {10, pointer, 0, 8}, EFAULT},
        {"rt_sigprocmask", SYS_rt_sigprocmask, {0, pointer, 0, 8}, EFAULT},
        {"rt_sigpending", SYS_rt_sigpending, {pointer, 8}, EFAULT},
        {"rt_sigsuspend", SYS_rt_sigsuspend, {pointer, 8}, EFAULT},
        {"rt_sigtimedwait", SYS_rt_sigtimedwait, {pointer, 0, 0, 8}, EFAULT},
        {"sched_getaffinity", SYS_sched_getaffinity, {0, 128, pointer}, EFAULT},
        {"sched_setaffinity", SYS_sched_setaffinity, {0, 128, pointer}, EFAULT},
        {"sched_getparam", SYS_sched_getparam, {0, pointer}, EFAULT},
        {"getgroups", SYS_getresuid, {pointer, pointer, pointer}, EFAULT},
        {"poll", SYS_poll, {pointer, 1, 0}, EFAULT},
        {"select", SYS_select, {8, pointer, 0, 0, 0}, EFAULT},
        {"getcpu", SYS_getcpu, {pointer, 0, 0}, EFAULT},
        {"memfd_create", SYS_memfd_create, {pointer, 0}, EFAULT},
        {"rename", SYS_rename, {pointer, pointer}, EFAULT},
        {"chdir", SYS_chdir, {pointer}, EFAULT},
        {"symlink", SYS_symlink, {pointer, pointer}, EFAULT},
    };
    for (const Row& row : rows) {
      Check(row);
    }
  }
}

TEST(BadArguments, ClosedDescriptors) {
  char buffer[64];
  const long b = reinterpret_cast<long>(buffer);
  for (long fd : {kClosed, -1l, static_cast<long>(INT_MAX), static_cast<long>(INT_MIN)}) {
    const Row rows[] = {
        {"read", SYS_read, {fd, b, 1}, EBADF},
        {"write", SYS_write, {fd, b, 1}, EBADF},
        {"readv", SYS_readv, {fd, b, 0}, EBADF},
        {"pread64", SYS_pread64, {fd, b, 1, 0}, EBADF},
        {"close", SYS_close, {fd}, EBADF},
        {"fstat", SYS_fstat, {fd, b}, EBADF},
        {"lseek", SYS_lseek, {fd, 0, 0}, EBADF},
        {"ioctl", SYS_ioctl, {fd, 0x5421, b}, EBADF},
        {"fcntl", SYS_fcntl, {fd, F_GETFL}, EBADF},
        {"dup", SYS_dup, {fd}, EBADF},
        {"fsync", SYS_fsync, {fd}, EBADF},
        {"ftruncate", SYS_ftruncate, {fd, 0}, EBADF},
        {"fchmod", SYS_fchmod, {fd, 0}, EBADF},
        {"flock", SYS_flock, {fd, 2}, EBADF},
        {"getdents64", SYS_getdents64, {fd, b, 64}, EBADF},
        {"fadvise64", SYS_fadvise64, {fd, 0, 0, 0}, EBADF},
        {"fallocate", SYS_fallocate, {fd, 0, 0, 1}, EBADF},
        {"epoll_wait", SYS_epoll_wait, {fd, b, 1, 0}, EBADF},
        {"mmap", SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE, fd, 0}, EBADF},
        {"syncfs", SYS_syncfs, {fd}, EBADF},
    };
    for (const Row& row : rows) {
      Check(row);
    }
  }
}

TEST(BadArguments, SizesThatAreTooLarge) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const long null = open("/dev/null", O_RDWR);
  char buffer[16] = {};
  const long b = reinterpret_cast<long>(buffer);
  const Row rows[] = {
      {"mmap nothing", SYS_mmap, {0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, EINVAL},
      {"mmap all", SYS_mmap, {0, -4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, ENOMEM},
      {"munmap odd", SYS_munmap, {1, 4096}, EINVAL},
      {"munmap nothing", SYS_munmap, {0x10000, 0}, EINVAL},
      {"mprotect odd", SYS_mprotect, {1, 4096, 0}, EINVAL},
      {"mprotect wraps", SYS_mprotect, {0x10000, -1, 0}, ENOMEM},
      {"madvise odd", SYS_madvise, {1, 4096, MADV_DONTNEED}, EINVAL},
      {"madvise unknown", SYS_madvise, {0x10000, 4096, 9999}, EINVAL},
      {"mremap odd", SYS_mremap, {1, 4096, 8192, 1}, EINVAL},
      {"msync odd", SYS_msync, {1, 4096, 4}, EINVAL},
      {"msync both", SYS_msync, {0x10000, 4096, 5}, EINVAL},
      {"readv too many", SYS_readv, {ends[0], b, 1025}, EINVAL},
      {"writev too many", SYS_writev, {null, b, 1025}, EINVAL},
      {"getcwd short", SYS_getcwd, {b, 1}, ERANGE},
      {"lseek pipe", SYS_lseek, {ends[0], 0, 0}, ESPIPE},
      {"lseek whence", SYS_lseek, {null, 0, 99}, EINVAL},
      {"pread negative", SYS_pread64, {null, b, 1, -1}, EINVAL},
      {"truncate negative", SYS_truncate, {reinterpret_cast<long>("/tmp"), -1}, EINVAL},
      {"rt_sigaction size", SYS_rt_sigaction, {10, 0, 0, 4}, EINVAL},
      {"kill signal", SYS_kill, {0, 65}, EINVAL},
      {"tgkill zero", SYS_tgkill, {0, 1, 0}, EINVAL},
      {"epoll_create", SYS_epoll_create, {0}, EINVAL},
      {"epoll_wait none", SYS_epoll_wait, {null, b, 0, 0}, EINVAL},
      {"eventfd flags", SYS_eventfd2, {0, 0x12345}, EINVAL},
      {"pipe2 flags", SYS_pipe2, {b, 0x12345}, EINVAL},
      {"dup3 same", SYS_dup3, {null, null, 0}, EINVAL},
      {"getrandom flags", SYS_getrandom, {b, 1, 0x100}, EINVAL},
      {"memfd flags", SYS_memfd_create, {reinterpret_cast<long>("x"), 0x8000}, EINVAL},
      {"getitimer", SYS_getitimer, {7, b}, EINVAL},
      {"sched_yield", SYS_sched_yield, {}, 0},
      {"getpriority", SYS_getpriority, {3, 0}, EINVAL},
      {"getrlimit", SYS_getrlimit, {16, b}, EINVAL},
      {"getrusage", SYS_getrusage, {5, b}, EINVAL},
      {"set_robust_list", SYS_set_robust_list, {b, 1}, EINVAL},
      {"nanosleep",
       SYS_nanosleep,
       {reinterpret_cast<long>("\1\1\1\1\1\1\1\0\1\1\1\1\1\1\1\1"), 0},
       EINVAL},
  };
  for (const Row& row : rows) {
    Check(row);
  }
  close(ends[0]);
  close(ends[1]);
  close(static_cast<int>(null));
}

}  // namespace
