// SPDX-License-Identifier: Apache-2.0
// timerfd and signalfd: reading, waiting, poll and epoll.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>

namespace {

constexpr int64_t kMillisecond = 1'000'000;

itimerspec After(int64_t first, int64_t period = 0) {
  return {.it_interval = {.tv_sec = period / 1'000'000'000, .tv_nsec = period % 1'000'000'000},
          .it_value = {.tv_sec = first / 1'000'000'000, .tv_nsec = first % 1'000'000'000}};
}

int64_t Now(int clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

short Ready(int fd, int timeout = 0) {
  pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT, .revents = 0};
  poll(&entry, 1, timeout);
  return entry.revents;
}

// The count of expirations, or -errno.
int64_t Count(int fd) {
  uint64_t count = 0;
  const ssize_t size = read(fd, &count, sizeof(count));
  return size == sizeof(count) ? static_cast<int64_t>(count) : -errno;
}

TEST(TimerFile, ExpiresOnce) {
  for (const int clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
    const int fd = timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(Count(fd), -EAGAIN);
    EXPECT_EQ(Ready(fd), 0);
    const itimerspec soon = After(2 * kMillisecond);
    const int64_t start = Now(CLOCK_MONOTONIC);
    ASSERT_EQ(timerfd_settime(fd, 0, &soon, nullptr), 0);
    EXPECT_EQ(Ready(fd, -1), POLLIN);
    EXPECT_GE(Now(CLOCK_MONOTONIC) - start, 2 * kMillisecond);
    EXPECT_EQ(Count(fd), 1);
    EXPECT_EQ(Count(fd), -EAGAIN);
    itimerspec left = After(1);
    EXPECT_EQ(timerfd_gettime(fd, &left), 0);
    EXPECT_EQ(left.it_value.tv_sec, 0);
    EXPECT_EQ(left.it_value.tv_nsec, 0);
    close(fd);
  }
}

TEST(TimerFile, ReadWaits) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  const itimerspec soon = After(3 * kMillisecond);
  const int64_t start = Now(CLOCK_MONOTONIC);
  timerfd_settime(fd, 0, &soon, nullptr);
  EXPECT_EQ(Count(fd), 1);
  EXPECT_GE(Now(CLOCK_MONOTONIC) - start, 3 * kMillisecond);
  close(fd);
}

TEST(TimerFile, PeriodsCountWhileNobodyLooks) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const itimerspec often = After(kMillisecond, kMillisecond);
  const int64_t start = Now(CLOCK_MONOTONIC);
  timerfd_settime(fd, 0, &often, nullptr);
  usleep(20'000);
  const int64_t count = Count(fd);
  EXPECT_GE(count, 19);
  EXPECT_LE(count, (Now(CLOCK_MONOTONIC) - start) / kMillisecond);
  // It goes on.
  EXPECT_EQ(Ready(fd, -1), POLLIN);
  itimerspec left;
  EXPECT_EQ(timerfd_gettime(fd, &left), 0);
  EXPECT_EQ(left.it_interval.tv_nsec, kMillisecond);
  EXPECT_LE(left.it_value.tv_nsec, kMillisecond);
  EXPECT_GE(Count(fd), 1);
  // Setting it anew forgets what has been counted.
  usleep(2000);
  const itimerspec off = {};
  EXPECT_EQ(timerfd_settime(fd, 0, &off, &left), 0);
  EXPECT_EQ(left.it_interval.tv_nsec, kMillisecond);
  EXPECT_EQ(Count(fd), -EAGAIN);
  EXPECT_EQ(timerfd_gettime(fd, &left), 0);
  EXPECT_EQ(left.it_interval.tv_nsec, 0);
  close(fd);
}

TEST(TimerFile, AbsoluteTimes) {
  for (const int clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
    const int fd = timerfd_create(clock, 0);
    const int64_t start = Now(CLOCK_MONOTONIC);
    itimerspec when = After(Now(clock) + 3 * kMillisecond);
    ASSERT_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, nullptr), 0);
    EXPECT_EQ(Count(fd), 1);
    EXPECT_GE(Now(CLOCK_MONOTONIC) - start, 2 * kMillisecond);
    // What has passed already: at once, with all periods since.
    when = After(Now(clock) - 50 * kMillisecond, 10 * kMillisecond);
    ASSERT_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, nullptr), 0);
    EXPECT_GE(Count(fd), 5);
    close(fd);
  }
}

TEST(TimerFile, Errors) {
  EXPECT_EQ(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(timerfd_create(CLOCK_MONOTONIC, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  itimerspec bad = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1'000'000'000}};
  EXPECT_EQ(timerfd_settime(fd, 0, &bad, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  const itimerspec good = After(kMillisecond);
  EXPECT_EQ(timerfd_settime(fd, 0x10, &good, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(timerfd_settime(0x7ff, 0, &good, nullptr), -1);
  EXPECT_EQ(errno, EBADF);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  EXPECT_EQ(timerfd_settime(fds[0], 0, &good, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(timerfd_gettime(fds[0], &bad), -1);
  EXPECT_EQ(errno, EINVAL);
  uint32_t small;
  EXPECT_EQ(read(fd, &small, sizeof(small)), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(write(fd, &small, sizeof(small)), -1);
  EXPECT_EQ(errno, EINVAL);
  close(fds[0]);
  close(fds[1]);
  close(fd);
}

TEST(TimerFile, EpollTellsEdges) {
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const int set = epoll_create1(0);
  epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = 7}};
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, timer, &event), 0);
  const itimerspec soon = After(kMillisecond);
  for (int round = 0; round < 3; ++round) {
    timerfd_settime(timer, 0, &soon, nullptr);
    event = {};
    EXPECT_EQ(epoll_wait(set, &event, 1, -1), 1);
    EXPECT_EQ(event.data.u64, 7u);
    EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
    EXPECT_EQ(Count(timer), 1);
  }
  close(set);
  close(timer);
}

// ---- signals

class SignalFile : public testing::Test {
 protected:
  void SetUp() override {
    sigemptyset(&mask_);
    for (const int signal : {SIGUSR1, SIGUSR2, SIGRTMIN + 3}) {
      sigaddset(&mask_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &mask_, &old_);
    fd_ = signalfd(-1, &mask_, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT_GE(fd_, 0);
  }
  void TearDown() override {
    close(fd_);
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }

  // What is read, or a signal number of -errno.
  signalfd_siginfo Next() {
    signalfd_siginfo info = {};
    if (read(fd_, &info, sizeof(info)) != sizeof(info)) {
      info.ssi_signo = static_cast<uint32_t>(-errno);
    }
    return info;
  }

  sigset_t mask_;
  sigset_t old_;
  int fd_ = -1;
};

TEST_F(SignalFile, ReadsWhatIsPending) {
  EXPECT_EQ(fcntl(fd_, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(Ready(fd_), 0);
  EXPECT_EQ(Next().ssi_signo, static_cast<uint32_t>(-EAGAIN));
  kill(getpid(), SIGUSR2);
  raise(SIGUSR1);
  EXPECT_EQ(Ready(fd_), POLLIN);
  signalfd_siginfo info = Next();
  EXPECT_EQ(info.ssi_signo, static_cast<uint32_t>(SIGUSR1));
  EXPECT_EQ(info.ssi_code, SI_TKILL);
  info = Next();
  EXPECT_EQ(info.ssi_signo, static_cast<uint32_t>(SIGUSR2));
  EXPECT_EQ(info.ssi_code, SI_USER);
  EXPECT_EQ(info.ssi_pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(info.ssi_uid, getuid());
  EXPECT_EQ(Ready(fd_), 0);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGUSR1), 0);
}

TEST_F(SignalFile, ManyAtOnceWithTheirValues) {
  const int signal = SIGRTMIN + 3;
  for (int value = 1; value <= 3; ++value) {
    sigqueue(getpid(), signal, {.sival_int = value});
  }
  signalfd_siginfo infos[2] = {};
  EXPECT_EQ(read(fd_, infos, sizeof(infos) + 5), static_cast<ssize_t>(sizeof(infos)));
  EXPECT_EQ(infos[0].ssi_int, 1);
  EXPECT_EQ(infos[1].ssi_int, 2);
  EXPECT_EQ(infos[1].ssi_code, SI_QUEUE);
  EXPECT_EQ(Next().ssi_int, 3);
  char small[64];
  EXPECT_EQ(read(fd_, small, sizeof(small)), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(SignalFile, TimersTellTheirOverrun) {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 3;
  event.sigev_value.sival_int = 42;
  timer_t timer;
  ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  const itimerspec soon = After(kMillisecond);
  timer_settime(timer, 0, &soon, nullptr);
  EXPECT_EQ(Ready(fd_, -1), POLLIN);
  const signalfd_siginfo info = Next();
  EXPECT_EQ(info.ssi_code, SI_TIMER);
  EXPECT_EQ(info.ssi_int, 42);
  EXPECT_EQ(info.ssi_overrun, 0u);
  timer_delete(timer);
}

TEST_F(SignalFile, AReaderSleepsUntilASignalComes) {
  fcntl(fd_, F_SETFL, 0);
  std::thread sender([] {
    usleep(5000);
    kill(getpid(), SIGUSR1);
  });
  EXPECT_EQ(Next().ssi_signo, static_cast<uint32_t>(SIGUSR1));
  sender.join();
}

TEST_F(SignalFile, EpollTellsOfSignals) {
  const int set = epoll_create1(0);
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = 1}};
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd_, &event), 0);
  EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
  std::thread sender([] {
    usleep(2000);
    kill(getpid(), SIGUSR2);
  });
  EXPECT_EQ(epoll_wait(set, &event, 1, -1), 1);
  sender.join();
  EXPECT_EQ(Next().ssi_signo, static_cast<uint32_t>(SIGUSR2));
  EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
  close(set);
}

TEST_F(SignalFile, TheMaskCanBeChanged) {
  sigset_t other;
  sigemptyset(&other);
  sigaddset(&other, SIGUSR2);
  EXPECT_EQ(signalfd(fd_, &other, 0), fd_);
  raise(SIGUSR1);
  EXPECT_EQ(Ready(fd_), 0);
  raise(SIGUSR2);
  EXPECT_EQ(Next().ssi_signo, static_cast<uint32_t>(SIGUSR2));
  EXPECT_EQ(Next().ssi_signo, static_cast<uint32_t>(-EAGAIN));
  EXPECT_EQ(signalfd(fd_, &mask_, 0), fd_);
  EXPECT_EQ(Next().ssi_signo, static_cast<uint32_t>(SIGUSR1));
}

TEST_F(SignalFile, Errors) {
  EXPECT_EQ(signalfd(0x7ff, &mask_, 0), -1);
  EXPECT_EQ(errno, EBADF);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  EXPECT_EQ(signalfd(fds[0], &mask_, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(signalfd(-1, &mask_, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(write(fd_, "x", 1), -1);
  EXPECT_EQ(errno, EINVAL);
  close(fds[0]);
  close(fds[1]);
}

}  // namespace
