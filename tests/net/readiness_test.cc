// SPDX-License-Identifier: Apache-2.0
// poll, select and epoll over sockets: level- and edge-triggered, one-shot, exclusive.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

class Set {
 public:
  Set() : fd_(epoll_create1(EPOLL_CLOEXEC)) { EXPECT_GE(fd_, 0); }

  void Add(int fd, uint32_t events) { Control(EPOLL_CTL_ADD, fd, events); }
  void Modify(int fd, uint32_t events) { Control(EPOLL_CTL_MOD, fd, events); }
  // The events of the only file that is ready; 0: none is.
  uint32_t Wait(int timeout) {
    epoll_event events[4];
    const int count = epoll_wait(fd_, events, 4, timeout);
    EXPECT_LE(count, 1);
    return count == 1 ? events[0].events : 0;
  }
  int fd() const { return fd_; }

 private:
  void Control(int operation, int fd, uint32_t events) {
    epoll_event event = {.events = events, .data = {.fd = fd}};
    EXPECT_EQ(epoll_ctl(fd_, operation, fd, &event), 0) << errno;
  }
  Fd fd_;
};

TEST(Readiness, Poll) {
  Pair pair = Connected();
  EXPECT_EQ(PollFor(pair.server, POLLIN | POLLOUT, 0), POLLOUT);
  EXPECT_EQ(PollFor(pair.server, POLLIN, 5), 0);
  ASSERT_EQ(send(pair.client, "x", 1, 0), 1);
  EXPECT_EQ(PollFor(pair.server, POLLIN | POLLRDNORM, 0), POLLIN | POLLRDNORM);
  EXPECT_EQ(Receive(pair.server, 1), "x");
  EXPECT_EQ(PollFor(pair.server, POLLIN, 0), 0);
  std::thread late([&] {
    usleep(10'000);
    ASSERT_EQ(send(pair.client, "y", 1, 0), 1);
  });
  EXPECT_EQ(PollFor(pair.server, POLLIN, 10'000), POLLIN);
  late.join();
  EXPECT_EQ(Receive(pair.server, 1), "y");
  pair.client.Close();
  EXPECT_EQ(PollFor(pair.server, POLLIN | POLLRDHUP, 10'000), POLLIN | POLLRDHUP);
}

TEST(Readiness, Select) {
  Pair pair = Connected();
  fd_set read, write;
  FD_ZERO(&read);
  FD_ZERO(&write);
  FD_SET(pair.server, &read);
  FD_SET(pair.server, &write);
  timeval timeout = {};
  EXPECT_EQ(select(pair.server + 1, &read, &write, nullptr, &timeout), 1);
  EXPECT_FALSE(FD_ISSET(pair.server, &read));
  EXPECT_TRUE(FD_ISSET(pair.server, &write));
  ASSERT_EQ(send(pair.client, "x", 1, 0), 1);
  FD_ZERO(&read);
  FD_SET(pair.server, &read);
  timeout = {.tv_sec = 10, .tv_usec = 0};
  EXPECT_EQ(select(pair.server + 1, &read, nullptr, nullptr, &timeout), 1);
  EXPECT_TRUE(FD_ISSET(pair.server, &read));
}

TEST(Readiness, Listener) {
  const Fd listener = Listener(SOCK_NONBLOCK);
  EXPECT_EQ(PollFor(listener, POLLIN, 0), 0);
  EXPECT_EQ(accept(listener, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EAGAIN);
  const Fd first = ConnectTo(listener), second = ConnectTo(listener);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(PollFor(listener, POLLIN, 10'000), POLLIN);
    const Fd accepted(accept(listener, nullptr, nullptr));
    EXPECT_GE(accepted, 0);
    EXPECT_EQ(PollFor(accepted, POLLIN | POLLOUT, 0), POLLOUT);
  }
  EXPECT_EQ(PollFor(listener, POLLIN, 0), 0);
}

TEST(Readiness, LevelTriggered) {
  Pair pair = Connected();
  Set set;
  set.Add(pair.server, EPOLLIN);
  EXPECT_EQ(set.Wait(0), 0u);
  ASSERT_EQ(send(pair.client, "abc", 3, 0), 3);
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(set.Wait(0), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(Receive(pair.server, 1), "a");
  EXPECT_EQ(set.Wait(0), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(Receive(pair.server, 2), "bc");
  EXPECT_EQ(set.Wait(0), 0u);
  set.Modify(pair.server, EPOLLIN | EPOLLOUT);
  EXPECT_EQ(set.Wait(0), static_cast<uint32_t>(EPOLLOUT));
}

TEST(Readiness, EdgeTriggered) {
  Pair pair = Connected();
  Set set;
  set.Add(pair.server, EPOLLIN | EPOLLET);
  EXPECT_EQ(set.Wait(0), 0u);
  ASSERT_EQ(send(pair.client, "abc", 3, 0), 3);
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(set.Wait(0), 0u);
  EXPECT_EQ(Receive(pair.server, 1), "a");
  EXPECT_EQ(set.Wait(0), 0u);
  ASSERT_EQ(send(pair.client, "d", 1, 0), 1);
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(Receive(pair.server, 100), "bcd");
  pair.client.Close();
  set.Modify(pair.server, EPOLLIN | EPOLLRDHUP | EPOLLET);
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLIN | EPOLLRDHUP));
}

TEST(Readiness, OneShot) {
  Pair pair = Connected();
  Set set;
  set.Add(pair.server, EPOLLIN | EPOLLONESHOT);
  ASSERT_EQ(send(pair.client, "abc", 3, 0), 3);
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(set.Wait(0), 0u);
  set.Modify(pair.server, EPOLLIN | EPOLLONESHOT);
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLIN));
}

TEST(Readiness, FullSocketBecomesWritable) {
  Pair pair = Connected();
  Set set;
  ASSERT_EQ(fcntl(pair.client, F_SETFL, O_NONBLOCK), 0);
  const std::string data(1 << 20, 'x');
  size_t total = 0;
  for (ssize_t sent = 0; sent >= 0; total += static_cast<size_t>(sent > 0 ? sent : 0)) {
    sent = send(pair.client, data.data(), data.size(), 0);
  }
  EXPECT_EQ(errno, EAGAIN);
  set.Add(pair.client, EPOLLOUT);
  EXPECT_EQ(set.Wait(5), 0u);
  std::thread reader([&] {
    for (size_t left = total; left != 0;) {
      left -= Receive(pair.server, 1 << 18).size();
    }
  });
  EXPECT_EQ(set.Wait(10'000), static_cast<uint32_t>(EPOLLOUT));
  reader.join();
  EXPECT_GT(send(pair.client, data.data(), data.size(), 0), 0);
}

TEST(Readiness, ExclusiveWaitersEachGetTheirConnection) {
  constexpr int kThreads = 4, kConnections = 40;
  const Fd listener = Listener(SOCK_NONBLOCK);
  const Fd stop(eventfd(0, 0));
  std::atomic<int> accepted = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      Set set;
      set.Add(listener, EPOLLIN | EPOLLEXCLUSIVE);
      set.Add(stop, EPOLLIN);
      while (true) {
        epoll_event events[2];
        const int count = epoll_wait(set.fd(), events, 2, 10'000);
        for (int j = 0; j < count; ++j) {
          if (events[j].data.fd == stop) {
            return;
          }
          const Fd connection(accept(listener, nullptr, nullptr));
          if (connection >= 0) {
            ++accepted;
          }
        }
      }
    });
  }
  for (int i = 0; i < kConnections; ++i) {
    ConnectTo(listener);
  }
  for (int i = 0; i < 1000 && accepted < kConnections; ++i) {
    usleep(10'000);
  }
  EXPECT_EQ(accepted, kConnections);
  const uint64_t one = 1;
  ASSERT_EQ(write(stop, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST(Readiness, TogetherWithOtherFiles) {
  Pair pair = Connected();
  const Fd event(eventfd(0, 0));
  Set set;
  set.Add(pair.server, EPOLLIN);
  set.Add(event, EPOLLIN);
  std::thread first([&] {
    usleep(5000);
    const uint64_t one = 1;
    ASSERT_EQ(write(event, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  });
  epoll_event events[2];
  ASSERT_EQ(epoll_wait(set.fd(), events, 2, 10'000), 1);
  EXPECT_EQ(events[0].data.fd, event);
  first.join();
  ASSERT_EQ(send(pair.client, "x", 1, 0), 1);
  // The event is ready all the time, and must not hide the socket.
  int seen = 0;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (seen == 0 && std::chrono::steady_clock::now() < give_up) {
    const int count = epoll_wait(set.fd(), events, 2, 10'000);
    for (int j = 0; j < count; ++j) {
      seen += events[j].data.fd == pair.server;
    }
  }
  EXPECT_EQ(seen, 1);
}

TEST(Readiness, BusyThreadsHideNothing) {
  // As many threads that never stop as there may be processors, and more.
  Pair pair = Connected();
  std::atomic<bool> is_over = false;
  std::vector<std::thread> busy;
  for (int i = 0; i < 4; ++i) {
    busy.emplace_back([&] {
      while (!is_over) {
      }
    });
  }
  std::thread echo([&] {
    for (int i = 0; i < 20; ++i) {
      const std::string data = Receive(pair.server, 10);
      ASSERT_EQ(send(pair.server, data.data(), data.size(), 0), static_cast<ssize_t>(data.size()));
    }
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(send(pair.client, "x", 1, 0), 1);
    ASSERT_EQ(Receive(pair.client, 10), "x");
  }
  is_over = true;
  echo.join();
  for (std::thread& thread : busy) {
    thread.join();
  }
}

}  // namespace
}  // namespace loopback
