// SPDX-License-Identifier: Apache-2.0
// TCP between two sockets of one program.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

TEST(Stream, Names) {
  const Fd listener = Listener();
  const Fd client = ConnectTo(listener);
  sockaddr_in peer = {};
  socklen_t size = sizeof(peer);
  const Fd server(accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  ASSERT_GE(server, 0);
  EXPECT_EQ(size, sizeof(peer));
  EXPECT_EQ(peer.sin_family, AF_INET);
  EXPECT_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(ntohs(peer.sin_port), PortOf(client));
  EXPECT_EQ(getpeername(client, reinterpret_cast<sockaddr*>(&peer), &size), 0);
  EXPECT_EQ(ntohs(peer.sin_port), PortOf(listener));
  EXPECT_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
}

TEST(Stream, ThereAndBack) {
  Pair pair = Connected();
  EXPECT_EQ(write(pair.client, "ping", 4), 4);
  EXPECT_EQ(Receive(pair.server, 100), "ping");
  EXPECT_EQ(send(pair.server, "pong", 4, 0), 4);
  char buffer[10] = {};
  EXPECT_EQ(read(pair.client, buffer, sizeof(buffer)), 4);
  EXPECT_STREQ(buffer, "pong");
}

TEST(Stream, Flags) {
  Pair pair = Connected();
  char byte;
  EXPECT_EQ(recv(pair.server, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(send(pair.client, "abcdef", 6, 0), 6);
  EXPECT_EQ(Receive(pair.server, 3, MSG_PEEK), "abc");
  EXPECT_EQ(Receive(pair.server, 3), "abc");
  // Sent by the program itself, so it is there at once.
  EXPECT_EQ(Receive(pair.server, 10, MSG_DONTWAIT), "def");
  EXPECT_EQ(recv(pair.server, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(send(pair.client, "x", 1, 0), 1);
  EXPECT_EQ(Receive(pair.server, 10, MSG_DONTWAIT), "x");
  std::thread late([&] {
    for (const char* piece : {"one", "two", "three"}) {
      usleep(5000);
      EXPECT_EQ(send(pair.client, piece, std::strlen(piece), 0),
                static_cast<ssize_t>(std::strlen(piece)));
    }
  });
  EXPECT_EQ(Receive(pair.server, 11, MSG_WAITALL), "onetwothree");
  late.join();
}

TEST(Stream, ManyPieces) {
  Pair pair = Connected();
  char a[] = "first ", b[] = "second ", c[] = "third";
  iovec out[] = {{a, 6}, {nullptr, 0}, {b, 7}, {c, 5}};
  msghdr message = {};
  message.msg_iov = out;
  message.msg_iovlen = 4;
  EXPECT_EQ(sendmsg(pair.client, &message, 0), 18);
  char x[4] = {}, y[30] = {};
  iovec in[] = {{x, 3}, {y, 29}};
  msghdr received = {};
  received.msg_iov = in;
  received.msg_iovlen = 2;
  received.msg_flags = 0x1234;
  EXPECT_EQ(recvmsg(pair.server, &received, 0), 18);
  EXPECT_STREQ(x, "fir");
  EXPECT_STREQ(y, "st second third");
  EXPECT_EQ(received.msg_flags, 0);
  EXPECT_EQ(writev(pair.client, out, 4), 18);
  EXPECT_EQ(readv(pair.server, in, 2), 18);
  message.msg_iovlen = 2000;
  EXPECT_EQ(sendmsg(pair.client, &message, 0), -1);
  EXPECT_EQ(errno, EMSGSIZE);
}

TEST(Stream, HalfClosed) {
  Pair pair = Connected();
  EXPECT_EQ(send(pair.client, "last", 4, 0), 4);
  EXPECT_EQ(shutdown(pair.client, SHUT_WR), 0);
  EXPECT_EQ(Receive(pair.server, 100), "last");
  EXPECT_EQ(Receive(pair.server, 100), "");
  EXPECT_EQ(Receive(pair.server, 100), "");
  EXPECT_EQ(PollFor(pair.server, POLLIN | POLLRDHUP, 10'000), POLLIN | POLLRDHUP);
  EXPECT_EQ(send(pair.server, "answer", 6, 0), 6);
  EXPECT_EQ(Receive(pair.client, 100), "answer");
  pair.server.Close();
  EXPECT_EQ(Receive(pair.client, 100), "");
  EXPECT_EQ(shutdown(pair.client, 5), -1);
  EXPECT_EQ(errno, EINVAL);
}

std::atomic<int> broken_pipes;

TEST(Stream, BrokenPipe) {
  struct sigaction action = {};
  action.sa_handler = [](int) { ++broken_pipes; };
  struct sigaction old;
  ASSERT_EQ(sigaction(SIGPIPE, &action, &old), 0);
  Pair pair = Connected();
  ASSERT_EQ(shutdown(pair.client, SHUT_WR), 0);
  broken_pipes = 0;
  EXPECT_EQ(send(pair.client, "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(broken_pipes, 0);
  EXPECT_EQ(send(pair.client, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(broken_pipes, 1);
  EXPECT_EQ(write(pair.client, "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(broken_pipes, 2);
  sigaction(SIGPIPE, &old, nullptr);
}

TEST(Stream, Reset) {
  Pair pair = Connected();
  const linger now = {.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
  pair.client.Close();
  char byte;
  EXPECT_EQ(recv(pair.server, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(recv(pair.server, &byte, 1, 0), 0);
  // Unread data make a close a reset, too.
  pair = Connected();
  ASSERT_EQ(send(pair.client, "unread", 6, 0), 6);
  ASSERT_EQ(PollFor(pair.server, POLLIN, 10'000), POLLIN);
  pair.server.Close();
  EXPECT_EQ(recv(pair.client, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(Stream, Refused) {
  uint16_t port;
  {
    const Fd listener = Listener();
    port = PortOf(listener);
  }
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(Connect(fd, Ipv4(port)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  const Fd polled(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  EXPECT_EQ(Connect(polled, Ipv4(port)), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  EXPECT_EQ(PollFor(polled, POLLOUT, 10'000), POLLOUT | POLLERR | POLLHUP);
  int error = 0;
  socklen_t size = sizeof(error);
  EXPECT_EQ(getsockopt(polled, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, ECONNREFUSED);
  EXPECT_EQ(getsockopt(polled, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, 0);
}

TEST(Stream, ConnectsWithoutWaiting) {
  const Fd listener = Listener();
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  EXPECT_EQ(Connect(fd, Ipv4(PortOf(listener))), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  EXPECT_EQ(PollFor(fd, POLLOUT, 10'000), POLLOUT);
  int error = -1;
  socklen_t size = sizeof(error);
  EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(Connect(fd, Ipv4(PortOf(listener))), 0);
  EXPECT_EQ(Connect(fd, Ipv4(PortOf(listener))), -1);
  EXPECT_EQ(errno, EISCONN);
  EXPECT_EQ(accept4(listener, nullptr, nullptr, 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST(Stream, NotConnected) {
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  char byte = 0;
  EXPECT_EQ(recv(fd, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(send(fd, &byte, 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(accept(fd, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(shutdown(fd, SHUT_RDWR), -1);
  EXPECT_EQ(errno, ENOTCONN);
  // Whether it can be read depends on the kernel.
  EXPECT_EQ(PollFor(fd, POLLIN | POLLOUT, 0) & ~POLLIN, POLLOUT | POLLHUP);
}

double Seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

TEST(Stream, Timeouts) {
  Pair pair = Connected();
  const timeval timeout = {.tv_sec = 0, .tv_usec = 20'000};
  ASSERT_EQ(setsockopt(pair.server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  ASSERT_EQ(setsockopt(pair.client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
  char byte;
  const double start = Seconds();
  EXPECT_EQ(recv(pair.server, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GE(Seconds() - start, 0.019);
  // Nobody reads: at some time nothing more can be sent.
  const std::string data(1 << 20, 'x');
  ssize_t sent = 0;
  for (int i = 0; i < 100 && sent >= 0; ++i) {
    sent = send(pair.client, data.data(), data.size(), 0);
  }
  EXPECT_EQ(sent, -1);
  EXPECT_EQ(errno, EAGAIN);
  const Fd listener = Listener();
  ASSERT_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  EXPECT_EQ(accept(listener, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EAGAIN);
}

char ByteAt(size_t position) { return static_cast<char>(position * 31 + position / 4096); }

TEST(Stream, LargeTransfer) {
  constexpr size_t kSize = 24 << 20;
  Pair pair = Connected();
  std::thread writer([&] {
    std::vector<char> data(300'001);
    for (size_t at = 0; at < kSize;) {
      const size_t size = std::min(data.size(), kSize - at);
      for (size_t i = 0; i < size; ++i) {
        data[i] = ByteAt(at + i);
      }
      ASSERT_EQ(send(pair.client, data.data(), size, 0), static_cast<ssize_t>(size));
      at += size;
    }
    shutdown(pair.client, SHUT_WR);
  });
  std::vector<char> data(170'003);
  size_t got = 0, wrong = 0;
  while (true) {
    const ssize_t size = recv(pair.server, data.data(), data.size(), 0);
    ASSERT_GE(size, 0);
    if (size == 0) {
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
      wrong += data[i] != ByteAt(got + i);
    }
    got += static_cast<size_t>(size);
  }
  writer.join();
  EXPECT_EQ(got, kSize);
  EXPECT_EQ(wrong, 0u);
}

TEST(Stream, SendsAFile) {
  constexpr size_t kSize = 1 << 20;
  const Fd file(memfd_create("file", 0));
  std::string content(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) {
    content[i] = ByteAt(i);
  }
  ASSERT_EQ(write(file, content.data(), kSize), static_cast<ssize_t>(kSize));
  Pair pair = Connected();
  std::string got;
  std::thread reader([&] {
    for (std::string part = Receive(pair.server, 65536); !part.empty();
         part = Receive(pair.server, 65536)) {
      got += part;
    }
  });
  off_t offset = 0;
  while (offset < static_cast<off_t>(kSize)) {
    ASSERT_GT(sendfile(pair.client, file, &offset, kSize), 0);
  }
  pair.client.Close();
  reader.join();
  EXPECT_EQ(got, content);
}

TEST(Stream, Ipv6) {
  const Fd listener(socket(AF_INET6, SOCK_STREAM, 0));
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  if (Bind(listener, address) != 0) {
    GTEST_SKIP() << "this machine has no IPv6";
  }
  ASSERT_EQ(listen(listener, 1), 0);
  address.sin6_port = htons(PortOf(listener));
  const Fd client(socket(AF_INET6, SOCK_STREAM, 0));
  ASSERT_EQ(Connect(client, address), 0);
  sockaddr_in6 peer = {};
  socklen_t size = sizeof(peer);
  const Fd server(accept(listener, reinterpret_cast<sockaddr*>(&peer), &size));
  ASSERT_GE(server, 0);
  EXPECT_EQ(size, sizeof(peer));
  EXPECT_EQ(peer.sin6_family, AF_INET6);
  EXPECT_EQ(std::memcmp(&peer.sin6_addr, &in6addr_loopback, 16), 0);
  EXPECT_EQ(send(client, "six", 3, 0), 3);
  EXPECT_EQ(Receive(server, 10), "six");
}

TEST(Stream, ShutdownEndsAWait) {
  Pair pair = Connected();
  std::thread reader([&] { EXPECT_EQ(Receive(pair.server, 10), ""); });
  usleep(10'000);
  EXPECT_EQ(shutdown(pair.server, SHUT_RD), 0);
  reader.join();
}

std::atomic<int> alarms;

TEST(Stream, SignalsEndAWait) {
  struct sigaction action = {};
  action.sa_handler = [](int) { ++alarms; };
  struct sigaction old;
  ASSERT_EQ(sigaction(SIGUSR1, &action, &old), 0);
  Pair pair = Connected();
  std::atomic<bool> is_over = false;
  const pthread_t self = pthread_self();
  std::thread sender([&] {
    while (!is_over) {
      usleep(5000);
      pthread_kill(self, SIGUSR1);
    }
  });
  char byte;
  EXPECT_EQ(recv(pair.server, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EINTR);
  is_over = true;
  sender.join();
  EXPECT_GE(alarms, 1);
  sigaction(SIGUSR1, &old, nullptr);
}

}  // namespace
}  // namespace loopback
