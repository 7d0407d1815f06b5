// SPDX-License-Identifier: Apache-2.0
// What a signal's handler does to a call that waits: signal(7) of Linux, call by call.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr timespec kLong = {.tv_sec = 100, .tv_nsec = 0};

std::atomic<int> handled;

void SetHandler(int signal, int flags) {
  struct sigaction action = {};
  action.sa_handler = [](int) { ++handled; };
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

// Makes `call` in a thread of its own and sends that thread signals until the call has ended, or,
// if it goes on after each, until `finish` has been called and has ended it. Returns the call's
// error, 0: none.
int ErrorUnderSignals(int flags, const std::function<long()>& call,
                      const std::function<void()>& finish) {
  SetHandler(SIGUSR1, flags);
  handled = 0;
  std::atomic<bool> done = false;
  int error = 0;
  std::thread caller([&] {
    if (call() == -1) {
      error = errno;
    }
    done = true;
  });
  // With SA_RESTART it has to outlive some; without, one that comes while it waits ends it.
  constexpr int kEnough = 20;
  for (int sent = 0; !done && ((flags & SA_RESTART) == 0 || handled < kEnough || sent < kEnough);
       ++sent) {
    pthread_kill(caller.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (sent > 3000) {
      break;  // it is never interrupted
    }
  }
  if (!done) {
    finish();
  }
  caller.join();
  signal(SIGUSR1, SIG_DFL);
  return error;
}

struct Outcome {
  int plain;
  int restarting;
};
Outcome Try(const std::function<long()>& call, const std::function<void()>& finish) {
  return {.plain = ErrorUnderSignals(0, call, [] {}),
          .restarting = ErrorUnderSignals(SA_RESTART, call, finish)};
}

#define EXPECT_RESTARTS(outcome)     \
  EXPECT_EQ((outcome).plain, EINTR); \
  EXPECT_EQ((outcome).restarting, 0)
#define EXPECT_NEVER_RESTARTS(outcome) \
  EXPECT_EQ((outcome).plain, EINTR);   \
  EXPECT_EQ((outcome).restarting, EINTR)

TEST(InterruptedCalls, PipesRestart) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  char byte;
  const Outcome reading =
      Try([&] { return read(ends[0], &byte, 1); }, [&] { (void)!write(ends[1], "x", 1); });
  EXPECT_RESTARTS(reading);
  fcntl(ends[1], F_SETPIPE_SZ, 4096);
  std::vector<char> page(4096);
  ASSERT_EQ(write(ends[1], page.data(), page.size()), 4096);
  const Outcome writing = Try([&] { return write(ends[1], &byte, 1); },
                              [&] { (void)!read(ends[0], page.data(), page.size()); });
  EXPECT_RESTARTS(writing);
  close(ends[0]);
  close(ends[1]);
}

TEST(InterruptedCalls, SocketsRestartUnlessTheyHaveATimeout) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  char byte;
  const Outcome receiving =
      Try([&] { return recv(pair[0], &byte, 1, 0); }, [&] { send(pair[1], "x", 1, 0); });
  EXPECT_RESTARTS(receiving);
  const timeval timeout = {.tv_sec = 100, .tv_usec = 0};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  const Outcome timed = Try([&] { return recv(pair[0], &byte, 1, 0); }, [] {});
  EXPECT_NEVER_RESTARTS(timed);
  close(pair[0]);
  close(pair[1]);

  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  const std::string text = "nsgx-interrupted-" + std::to_string(getpid());
  text.copy(name.sun_path + 1, text.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&name), size), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  const Outcome accepting = Try(
      [&] {
        const int fd = accept(listener, nullptr, nullptr);
        if (fd >= 0) {
          close(fd);
        }
        return fd;
      },
      [&] {
        const int client = socket(AF_UNIX, SOCK_STREAM, 0);
        (void)connect(client, reinterpret_cast<sockaddr*>(&name), size);
        close(client);
      });
  EXPECT_RESTARTS(accepting);
  close(listener);
}

TEST(InterruptedCalls, FilesThatCountRestart) {
  const int counter = eventfd(0, 0);
  uint64_t value = 1;
  const Outcome counting = Try([&] { return read(counter, &value, 8); },
                               [&] {
                                 const uint64_t one = 1;
                                 (void)!write(counter, &one, 8);
                               });
  EXPECT_RESTARTS(counting);
  close(counter);
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  const Outcome ticking = Try([&] { return read(timer, &value, 8); },
                              [&] {
                                const itimerspec soon = {.it_interval = {}, .it_value = {0, 1}};
                                timerfd_settime(timer, 0, &soon, nullptr);
                              });
  EXPECT_RESTARTS(ticking);
  close(timer);
}

TEST(InterruptedCalls, LocksRestart) {
  char path[] = "/tmp/nsgx-interrupted-XXXXXX";
  const int held = mkstemp(path);
  const int wanted = open(path, O_RDWR);
  ASSERT_EQ(flock(held, LOCK_EX), 0);
  const Outcome locking =
      Try([&] { return flock(wanted, LOCK_EX); }, [&] { flock(held, LOCK_UN); });
  EXPECT_RESTARTS(locking);
  close(wanted);
  close(held);
  unlink(path);
}

TEST(InterruptedCalls, MessageQueuesRestart) {
  const std::string name = "/nsgx-interrupted-" + std::to_string(getpid());
  const mqd_t queue = mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, nullptr);
  ASSERT_NE(queue, -1);
  std::vector<char> buffer(8192);
  const Outcome receiving =
      Try([&] { return mq_receive(queue, buffer.data(), buffer.size(), nullptr); },
          [&] { mq_send(queue, "x", 1, 0); });
  EXPECT_RESTARTS(receiving);
  mq_close(queue);
  mq_unlink(name.c_str());
}

TEST(InterruptedCalls, FutexesRestartUnlessTheyHaveATimeout) {
  std::atomic<uint32_t> word = 0;
  const Outcome plain = Try([&] { return syscall(SYS_futex, &word, 0, 0, nullptr, nullptr, 0); },
                            [&] {
                              word = 1;
                              syscall(SYS_futex, &word, 1, 1, nullptr, nullptr, 0);
                            });
  EXPECT_EQ(plain.plain, EINTR);
  EXPECT_TRUE(plain.restarting == 0 || plain.restarting == EAGAIN) << plain.restarting;
  word = 0;
  const Outcome timed =
      Try([&] { return syscall(SYS_futex, &word, 0, 0, &kLong, nullptr, 0); }, [] {});
  EXPECT_NEVER_RESTARTS(timed);
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  const Outcome waiting = Try([&] { return sem_wait(&semaphore); }, [&] { sem_post(&semaphore); });
  EXPECT_RESTARTS(waiting);
  sem_destroy(&semaphore);
}

TEST(InterruptedCalls, WaitingForFilesNeverRestarts) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pollfd one = {.fd = ends[0], .events = POLLIN, .revents = 0};
  const int set = epoll_create1(0);
  epoll_event event = {};
  event.events = EPOLLIN;
  epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
  EXPECT_NEVER_RESTARTS(Try([&] { return poll(&one, 1, -1); }, [] {}));
  EXPECT_NEVER_RESTARTS(Try([&] { return ppoll(&one, 1, &kLong, nullptr); }, [] {}));
  EXPECT_NEVER_RESTARTS(Try([&] { return epoll_wait(set, &event, 1, -1); }, [] {}));
  EXPECT_NEVER_RESTARTS(Try(
      [&] {
        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(ends[0], &readable);
        return select(ends[0] + 1, &readable, nullptr, nullptr, nullptr);
      },
      [] {}));
  for (const int fd : {set, ends[0], ends[1]}) {
    close(fd);
  }
}

TEST(InterruptedCalls, SleepingNeverRestarts) {
  EXPECT_NEVER_RESTARTS(Try([] { return nanosleep(&kLong, nullptr); }, [] {}));
  EXPECT_NEVER_RESTARTS(Try(
      [] {
        errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &kLong, nullptr);
        return errno == 0 ? 0 : -1;
      },
      [] {}));
  EXPECT_NEVER_RESTARTS(Try([] { return pause(); }, [] {}));
  EXPECT_NEVER_RESTARTS(Try(
      [] {
        sigset_t none;
        sigemptyset(&none);
        return sigsuspend(&none);
      },
      [] {}));
  EXPECT_NEVER_RESTARTS(Try(
      [] {
        sigset_t other;
        sigemptyset(&other);
        sigaddset(&other, SIGUSR2);
        // The C library's goes on by itself.
        return syscall(SYS_rt_sigtimedwait, &other, nullptr, &kLong, 8);
      },
      [] {}));
}

TEST(InterruptedCalls, NanosleepTellsWhatIsLeft) {
  SetHandler(SIGUSR1, 0);
  std::atomic<bool> done = false;
  timespec left = {};
  std::thread sleeper([&] {
    nanosleep(&kLong, &left);
    done = true;
  });
  while (!done) {
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  sleeper.join();
  EXPECT_GT(left.tv_sec, 0);
  EXPECT_LE(left.tv_sec, kLong.tv_sec);
  signal(SIGUSR1, SIG_DFL);
}

// ---- handlers

std::vector<int> order;

TEST(Handlers, QueuedSignalsComeInOrder) {
  order.clear();
  sigset_t set;
  sigemptyset(&set);
  struct sigaction action = {};
  action.sa_sigaction = [](int number, siginfo_t* info, void*) {
    order.push_back((number - SIGRTMIN) * 10 + info->si_value.sival_int);
  };
  action.sa_flags = SA_SIGINFO;
  for (int i = 0; i < 3; ++i) {
    sigaddset(&set, SIGRTMIN + i);
    sigaddset(&action.sa_mask, SIGRTMIN + i);
  }
  for (int i = 0; i < 3; ++i) {
    sigaction(SIGRTMIN + i, &action, nullptr);
  }
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  for (const int sent : {21, 1, 11, 2, 22, 12, 3}) {
    sigval value = {};
    value.sival_int = sent % 10;
    ASSERT_EQ(sigqueue(getpid(), 0, value), 0);
    ASSERT_EQ(sigqueue(getpid(), SIGRTMIN + sent / 10, value), 0);
  }
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 11, 12, 21, 22}));
  for (int i = 0; i < 3; ++i) {
    signal(SIGRTMIN + i, SIG_DFL);
  }
}

TEST(Handlers, NestUnlessTheirMaskForbidsIt) {
  order.clear();
  struct sigaction outer = {};
  outer.sa_handler = [](int) {
    order.push_back(1);
    raise(SIGUSR2);  // now
    raise(SIGTERM);  // blocked until the end
    order.push_back(2);
  };
  sigaddset(&outer.sa_mask, SIGTERM);
  struct sigaction inner = {};
  inner.sa_handler = [](int number) { order.push_back(number == SIGUSR2 ? 3 : 4); };
  sigaction(SIGUSR2, &inner, nullptr);
  sigaction(SIGTERM, &inner, nullptr);
  sigaction(SIGUSR1, &outer, nullptr);
  raise(SIGUSR1);
  EXPECT_EQ(order, (std::vector<int>{1, 3, 2, 4}));
  for (const int number : {SIGUSR1, SIGUSR2, SIGTERM}) {
    signal(number, SIG_DFL);
  }
}

TEST(Handlers, CanBeJumpedOutOfOnTheAlternateStack) {
  static sigjmp_buf back;
  static bool was_on_stack;
  std::thread([] {
    std::vector<char> memory(64 * 1024);
    stack_t stack = {};
    stack.ss_sp = memory.data();
    stack.ss_size = memory.size();
    ASSERT_EQ(sigaltstack(&stack, nullptr), 0);
    struct sigaction action = {};
    action.sa_handler = [](int) {
      stack_t now = {};
      sigaltstack(nullptr, &now);
      was_on_stack = (now.ss_flags & SS_ONSTACK) != 0;
      siglongjmp(back, 1);
    };
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    for (volatile int round = 0; round < 100; round = round + 1) {
      was_on_stack = false;
      if (sigsetjmp(back, 1) == 0) {
        raise(SIGUSR1);
        FAIL() << "it came back";
      }
      ASSERT_TRUE(was_on_stack);
      stack_t now = {};
      sigaltstack(nullptr, &now);
      ASSERT_EQ(now.ss_flags & SS_ONSTACK, 0) << "left by the jump";
    }
    signal(SIGUSR1, SIG_DFL);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
  }).join();
}

}  // namespace
