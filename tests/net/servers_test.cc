// SPDX-License-Identifier: Apache-2.0
// Echo servers with 1, 100 and 1000 connections: one thread with epoll, and a thread each.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

class Servers : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * static_cast<rlim_t>(GetParam()) + 100) {
      GTEST_SKIP() << "this machine lets a process have too few files";
    }
  }
};

// Answers until all connections are closed.
void EpollServer(int listener, int connections, uint32_t mode) {
  const Fd set(epoll_create1(0));
  epoll_event event = {.events = EPOLLIN, .data = {.fd = listener}};
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event), 0);
  char buffer[512];
  for (int open = connections; open != 0;) {
    epoll_event events[64];
    const int count = epoll_wait(set, events, 64, 20'000);
    ASSERT_GT(count, 0);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        for (int fresh; (fresh = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
          event = {.events = EPOLLIN | mode, .data = {.fd = fresh}};
          ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fresh, &event), 0);
        }
        continue;
      }
      ssize_t size;
      while ((size = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
        ASSERT_EQ(send(fd, buffer, static_cast<size_t>(size), 0), size);
      }
      if (size == 0) {
        close(fd);
        --open;
      } else {
        ASSERT_EQ(errno, EAGAIN);
      }
    }
  }
}

// Talks over all connections in turn, a few rounds, and closes them.
void Talk(int listener, int connections) {
  std::vector<Fd> clients;
  for (int i = 0; i < connections; ++i) {
    clients.push_back(ConnectTo(listener));
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < connections; ++i) {
      const std::string text = std::to_string(round * 10000 + i);
      ASSERT_EQ(send(clients[static_cast<size_t>(i)], text.data(), text.size(), 0),
                static_cast<ssize_t>(text.size()));
    }
    for (int i = 0; i < connections; ++i) {
      const std::string text = std::to_string(round * 10000 + i);
      ASSERT_EQ(Receive(clients[static_cast<size_t>(i)], text.size(), MSG_WAITALL), text);
    }
  }
}

TEST_P(Servers, Epoll) {
  for (const uint32_t mode : {0u, static_cast<uint32_t>(EPOLLET)}) {
    const Fd listener = Listener(SOCK_NONBLOCK, 1024);
    std::thread server(EpollServer, static_cast<int>(listener), GetParam(), mode);
    Talk(listener, GetParam());
    server.join();
  }
}

TEST_P(Servers, OneThreadEach) {
  const Fd listener = Listener(0, 1024);
  std::thread server([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < GetParam(); ++i) {
      const int fd = accept(listener, nullptr, nullptr);
      ASSERT_GE(fd, 0) << errno;
      threads.emplace_back([fd] {
        const Fd connection(fd);
        char buffer[100];
        for (ssize_t size; (size = recv(connection, buffer, sizeof(buffer), 0)) > 0;) {
          ASSERT_EQ(send(connection, buffer, static_cast<size_t>(size), 0), size);
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  });
  Talk(listener, GetParam());
  server.join();
}

TEST_P(Servers, ManyThreadsAccept) {
  constexpr int kThreads = 8;
  const Fd listener = Listener(0, 1024);
  std::atomic<int> left = GetParam();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (left.fetch_sub(1) > 0) {
        const Fd connection(accept(listener, nullptr, nullptr));
        ASSERT_GE(connection, 0);
        ASSERT_EQ(send(connection, "hello", 5, 0), 5);
      }
    });
  }
  for (int i = 0; i < GetParam(); ++i) {
    const Fd client = ConnectTo(listener);
    ASSERT_EQ(Receive(client, 5, MSG_WAITALL), "hello");
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

INSTANTIATE_TEST_SUITE_P(Connections, Servers, ::testing::Values(1, 100, 1000));

}  // namespace
}  // namespace loopback
