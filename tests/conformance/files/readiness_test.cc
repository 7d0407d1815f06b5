// SPDX-License-Identifier: Apache-2.0
// Pipes, FIFOs, eventfds, and waiting for them: blocking calls, poll, select, epoll, signals in
// between.

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/files/folder.h"

namespace {

using namespace std::chrono_literals;

struct Pipe {
  explicit Pipe(int flags = 0) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, flags), 0);
    read_end = fds[0];
    write_end = fds[1];
  }
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  void CloseRead() {
    if (read_end >= 0) {
      close(read_end);
      read_end = -1;
    }
  }
  void CloseWrite() {
    if (write_end >= 0) {
      close(write_end);
      write_end = -1;
    }
  }
  int read_end;
  int write_end;
};

short PollOne(int fd, short events, int timeout = 0) {
  pollfd entry = {.fd = fd, .events = events, .revents = 0};
  const int count = poll(&entry, 1, timeout);
  EXPECT_EQ(count, entry.revents != 0 ? 1 : 0);
  return entry.revents;
}

class Readiness : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    signal(SIGPIPE, SIG_IGN);
  }
};

// ---- pipes

TEST_F(Readiness, PipesCarryBytes) {
  Pipe pipe;
  char buffer[100];
  EXPECT_EQ(write(pipe.write_end, "hello", 5), 5);
  EXPECT_EQ(read(pipe.read_end, buffer, 3), 3);
  EXPECT_EQ(read(pipe.read_end, buffer, 100), 2);
  int available = -1;
  EXPECT_EQ(write(pipe.write_end, "1234", 4), 4);
  EXPECT_EQ(ioctl(pipe.read_end, FIONREAD, &available), 0);
  EXPECT_EQ(available, 4);
  EXPECT_EQ(lseek(pipe.read_end, 0, SEEK_SET), -1);
  EXPECT_EQ(errno, ESPIPE);
  pipe.CloseWrite();
  EXPECT_EQ(read(pipe.read_end, buffer, 100), 4);
  EXPECT_EQ(read(pipe.read_end, buffer, 100), 0);
}

TEST_F(Readiness, WithoutWaiting) {
  Pipe pipe(O_NONBLOCK);
  char buffer[100] = {};
  EXPECT_EQ(read(pipe.read_end, buffer, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(write(pipe.write_end, large.data(), large.size()), 65536);
  EXPECT_EQ(write(pipe.write_end, "x", 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  pipe.CloseRead();
  EXPECT_EQ(write(pipe.write_end, "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
}

std::atomic<int> pipe_signals;

TEST_F(Readiness, ABrokenPipeSendsASignal) {
  Pipe pipe;
  pipe.CloseRead();
  pipe_signals = 0;
  signal(SIGPIPE, [](int) { ++pipe_signals; });
  EXPECT_EQ(write(pipe.write_end, "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(pipe_signals, 1);
}

TEST_F(Readiness, ThreadsTalkThroughPipes) {
  Pipe there;
  Pipe back;
  std::thread echo([&] {
    char byte;
    while (read(there.read_end, &byte, 1) == 1) {
      ++byte;
      ASSERT_EQ(write(back.write_end, &byte, 1), 1);
    }
  });
  for (int i = 0; i < 1000; ++i) {
    char byte = static_cast<char>(i);
    ASSERT_EQ(write(there.write_end, &byte, 1), 1);
    ASSERT_EQ(read(back.read_end, &byte, 1), 1);
    ASSERT_EQ(byte, static_cast<char>(i + 1));
  }
  there.CloseWrite();
  echo.join();
}

TEST_F(Readiness, LargeWritesWaitForReaders) {
  Pipe pipe;
  std::string data(500'000, '\0');
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<char>(i >> 4);
  }
  std::thread writer([&] {
    EXPECT_EQ(write(pipe.write_end, data.data(), data.size()), static_cast<ssize_t>(data.size()));
    pipe.CloseWrite();
  });
  std::string got;
  char buffer[10'000];
  ssize_t size;
  while ((size = read(pipe.read_end, buffer, sizeof(buffer))) > 0) {
    got.append(buffer, static_cast<size_t>(size));
  }
  writer.join();
  EXPECT_TRUE(got == data);
}

TEST_F(Readiness, Fifos) {
  ASSERT_EQ(mkfifo("fifo", 0600), 0);
  EXPECT_EQ(open("fifo", O_WRONLY | O_NONBLOCK), -1);
  EXPECT_EQ(errno, ENXIO);
  std::thread writer([] {
    const int fd = open("fifo", O_WRONLY);
    EXPECT_EQ(write(fd, "through", 7), 7);
    close(fd);
  });
  const int fd = open("fifo", O_RDONLY);
  ASSERT_GE(fd, 0);
  char buffer[100];
  size_t total = 0;
  ssize_t size;
  while ((size = read(fd, buffer + total, sizeof(buffer) - total)) > 0) {
    total += static_cast<size_t>(size);
  }
  EXPECT_EQ(std::string(buffer, total), "through");
  writer.join();
  close(fd);
}

// ---- eventfd

TEST_F(Readiness, Events) {
  const int fd = eventfd(3, EFD_NONBLOCK);
  eventfd_t value;
  EXPECT_EQ(eventfd_write(fd, 4), 0);
  EXPECT_EQ(eventfd_read(fd, &value), 0);
  EXPECT_EQ(value, 7u);
  EXPECT_EQ(eventfd_read(fd, &value), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(read(fd, &value, 4), -1);
  EXPECT_EQ(errno, EINVAL);
  close(fd);
  const int waiting = eventfd(0, EFD_SEMAPHORE);
  std::thread poster([waiting] { eventfd_write(waiting, 2); });
  EXPECT_EQ(eventfd_read(waiting, &value), 0);
  EXPECT_EQ(value, 1u);
  EXPECT_EQ(eventfd_read(waiting, &value), 0);
  poster.join();
  close(waiting);
}

// ---- poll and select

TEST_F(Readiness, PollTellsStates) {
  Pipe pipe;
  EXPECT_EQ(PollOne(pipe.read_end, POLLIN), 0);
  EXPECT_EQ(PollOne(pipe.write_end, POLLOUT), POLLOUT);
  EXPECT_EQ(write(pipe.write_end, "x", 1), 1);
  EXPECT_EQ(PollOne(pipe.read_end, POLLIN), POLLIN);
  pipe.CloseWrite();
  EXPECT_EQ(PollOne(pipe.read_end, POLLIN), POLLIN | POLLHUP);
  EXPECT_EQ(PollOne(999, POLLIN), POLLNVAL);
  EXPECT_EQ(PollOne(-1, POLLIN), 0);
  const int file = open("file", O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(PollOne(file, POLLIN | POLLOUT), POLLIN | POLLOUT);
  close(file);
}

TEST_F(Readiness, PollWaits) {
  Pipe pipe;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(PollOne(pipe.read_end, POLLIN, 30), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
  std::thread writer([&] {
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(write(pipe.write_end, "x", 1), 1);
  });
  EXPECT_EQ(PollOne(pipe.read_end, POLLIN, -1), POLLIN);
  writer.join();
}

TEST_F(Readiness, PollWaitsForManyAtOnce) {
  std::vector<Pipe*> pipes;
  std::vector<pollfd> entries;
  for (int i = 0; i < 50; ++i) {
    pipes.push_back(new Pipe);
    entries.push_back({.fd = pipes.back()->read_end, .events = POLLIN, .revents = 0});
  }
  std::thread writer([&] {
    for (size_t i = 0; i < 50; ++i) {
      EXPECT_EQ(write(pipes[i * 7 % 50]->write_end, "x", 1), 1);
    }
  });
  int received = 0;
  while (received < 50) {
    ASSERT_GT(poll(entries.data(), entries.size(), -1), 0);
    for (const pollfd& entry : entries) {
      char byte;
      if (entry.revents != 0) {
        ASSERT_EQ(read(entry.fd, &byte, 1), 1);
        ++received;
      }
    }
  }
  writer.join();
  for (Pipe* pipe : pipes) {
    delete pipe;
  }
}

TEST_F(Readiness, Select) {
  Pipe pipe;
  fd_set reading, writing;
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  FD_SET(pipe.read_end, &reading);
  FD_SET(pipe.write_end, &writing);
  timeval time = {.tv_sec = 0, .tv_usec = 1000};
  EXPECT_EQ(select(100, &reading, &writing, nullptr, &time), 1);
  EXPECT_FALSE(FD_ISSET(pipe.read_end, &reading));
  EXPECT_TRUE(FD_ISSET(pipe.write_end, &writing));
  EXPECT_EQ(write(pipe.write_end, "x", 1), 1);
  FD_SET(pipe.read_end, &reading);
  EXPECT_EQ(select(100, &reading, nullptr, nullptr, nullptr), 1);
  constexpr int kClosed = 50;  // far above it Linux would not look
  FD_SET(kClosed, &reading);
  EXPECT_EQ(select(kClosed + 1, &reading, nullptr, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EBADF);
  time = {.tv_sec = 0, .tv_usec = 2000};
  EXPECT_EQ(select(0, nullptr, nullptr, nullptr, &time), 0);
}

// ---- signals

std::atomic<int> alarms;
void CountAlarm(int) { ++alarms; }

class Interrupted : public Readiness {
 protected:
  void SetUp() override {
    Readiness::SetUp();
    alarms = 0;
  }
  static void Handle(int flags) {
    struct sigaction action = {};
    action.sa_handler = CountAlarm;
    action.sa_flags = flags;
    sigaction(SIGUSR1, &action, nullptr);
  }
  // Sends the signal to `thread` until `done`: it may not sleep yet when the first one comes.
  static void Pester(pthread_t thread, const std::atomic<bool>& done) {
    while (!done) {
      pthread_kill(thread, SIGUSR1);
      std::this_thread::sleep_for(1ms);
    }
  }
};

TEST_F(Interrupted, ReadsEndWithAnError) {
  Handle(0);
  Pipe pipe;
  std::atomic<bool> done{false};
  const pthread_t self = pthread_self();
  std::thread other([&] { Pester(self, done); });
  char byte;
  EXPECT_EQ(read(pipe.read_end, &byte, 1), -1);
  const int error = errno;
  done = true;
  other.join();
  EXPECT_EQ(error, EINTR);
}

TEST_F(Interrupted, ReadsGoOnIfTheHandlerSaysSo) {
  Handle(SA_RESTART);
  Pipe pipe;
  const pthread_t self = pthread_self();
  std::thread other([&] {
    while (alarms < 3) {
      pthread_kill(self, SIGUSR1);
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(write(pipe.write_end, "x", 1), 1);
  });
  char byte;
  EXPECT_EQ(read(pipe.read_end, &byte, 1), 1);
  other.join();
}

TEST_F(Interrupted, PollEndsWithAnErrorInAnyCase) {
  Handle(SA_RESTART);
  Pipe pipe;
  std::atomic<bool> done{false};
  const pthread_t self = pthread_self();
  std::thread other([&] { Pester(self, done); });
  pollfd entry = {.fd = pipe.read_end, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, -1), -1);
  const int error = errno;
  done = true;
  other.join();
  EXPECT_EQ(error, EINTR);
}

TEST_F(Interrupted, PpollLetsASignalInOnlyWhileItWaits) {
  Handle(0);
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &old);
  raise(SIGUSR1);
  EXPECT_EQ(alarms, 0);
  Pipe pipe;
  pollfd entry = {.fd = pipe.read_end, .events = POLLIN, .revents = 0};
  sigset_t none;
  sigemptyset(&none);
  EXPECT_EQ(ppoll(&entry, 1, nullptr, &none), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(alarms, 1);
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, nullptr, &now);
  EXPECT_TRUE(sigismember(&now, SIGUSR1));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

// ---- epoll

class Epoll : public Readiness {
 protected:
  void SetUp() override {
    Readiness::SetUp();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    ASSERT_GE(epoll_, 0);
  }
  void TearDown() override {
    close(epoll_);
    Readiness::TearDown();
  }

  int Control(int operation, int fd, uint32_t events, uint64_t data = 0) {
    epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(epoll_, operation, fd, &event);
  }
  std::vector<epoll_event> Wait(int timeout = 0) {
    std::vector<epoll_event> events(64);
    const int count = epoll_wait(epoll_, events.data(), 64, timeout);
    EXPECT_GE(count, 0);
    events.resize(static_cast<size_t>(count));
    return events;
  }

  int epoll_ = -1;
};

TEST_F(Epoll, Levels) {
  Pipe pipe;
  EXPECT_EQ(Control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN, 7), 0);
  EXPECT_TRUE(Wait().empty());
  EXPECT_EQ(write(pipe.write_end, "x", 1), 1);
  for (int i = 0; i < 3; ++i) {
    const auto events = Wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].data.u64, 7u);
    EXPECT_EQ(events[0].events, uint32_t{EPOLLIN});
  }
  char byte;
  EXPECT_EQ(read(pipe.read_end, &byte, 1), 1);
  EXPECT_TRUE(Wait().empty());
}

TEST_F(Epoll, EdgesAndOneShots) {
  Pipe edge;
  Pipe once;
  Control(EPOLL_CTL_ADD, edge.read_end, EPOLLIN | EPOLLET, 1);
  Control(EPOLL_CTL_ADD, once.read_end, EPOLLIN | EPOLLONESHOT, 2);
  EXPECT_EQ(write(edge.write_end, "x", 1), 1);
  EXPECT_EQ(write(once.write_end, "x", 1), 1);
  EXPECT_EQ(Wait().size(), 2u);
  EXPECT_TRUE(Wait().empty());
  EXPECT_EQ(write(edge.write_end, "x", 1), 1);
  EXPECT_EQ(write(once.write_end, "x", 1), 1);
  auto events = Wait();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data.u64, 1u);
  EXPECT_EQ(Control(EPOLL_CTL_MOD, once.read_end, EPOLLIN | EPOLLONESHOT, 3), 0);
  events = Wait();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data.u64, 3u);
}

TEST_F(Epoll, Errors) {
  Pipe pipe;
  const int file = open("file", O_RDWR | O_CREAT, 0600);
  EXPECT_EQ(Control(EPOLL_CTL_ADD, file, EPOLLIN), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(Control(EPOLL_CTL_ADD, 999, EPOLLIN), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(Control(EPOLL_CTL_MOD, pipe.read_end, EPOLLIN), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(Control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), 0);
  EXPECT_EQ(Control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(Control(EPOLL_CTL_ADD, epoll_, EPOLLIN), -1);
  EXPECT_EQ(errno, EINVAL);
  close(file);
}

TEST_F(Epoll, ClosedFilesLeaveTheSet) {
  Pipe pipe;
  Control(EPOLL_CTL_ADD, pipe.read_end, EPOLLIN, 1);
  EXPECT_EQ(write(pipe.write_end, "x", 1), 1);
  EXPECT_EQ(Wait().size(), 1u);
  pipe.CloseRead();
  EXPECT_TRUE(Wait().empty());
}

TEST_F(Epoll, AServerOfManyPipes) {
  constexpr int kPipes = 100;
  std::vector<Pipe*> pipes;
  for (uint64_t i = 0; i < kPipes; ++i) {
    pipes.push_back(new Pipe(O_NONBLOCK));
    Control(EPOLL_CTL_ADD, pipes.back()->read_end, EPOLLIN | (i % 2 != 0 ? EPOLLET : 0), i);
  }
  std::vector<std::thread> clients;
  for (size_t t = 0; t < 3; ++t) {
    clients.emplace_back([&, t] {
      for (size_t i = 0; i < 1000; ++i) {
        while (write(pipes[(i * 13 + t * 31) % kPipes]->write_end, "x", 1) != 1) {
          std::this_thread::yield();
        }
      }
    });
  }
  int received = 0;
  while (received < 3000) {
    for (const epoll_event& event : Wait(-1)) {
      char buffer[64];
      ssize_t size;
      while ((size = read(pipes[event.data.u64]->read_end, buffer, sizeof(buffer))) > 0) {
        received += static_cast<int>(size);
      }
    }
  }
  EXPECT_EQ(received, 3000);
  for (std::thread& client : clients) {
    client.join();
  }
  for (Pipe* pipe : pipes) {
    delete pipe;
  }
}

}  // namespace
