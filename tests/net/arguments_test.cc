// SPDX-License-Identifier: Apache-2.0
// Calls with wrong arguments, and options.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

sockaddr* const kBadAddress = reinterpret_cast<sockaddr*>(16);

TEST(Arguments, Kinds) {
  EXPECT_EQ(socket(-1, SOCK_STREAM, 0), -1);
  EXPECT_EQ(errno, EAFNOSUPPORT);
  EXPECT_EQ(socket(1000, SOCK_STREAM, 0), -1);
  EXPECT_EQ(errno, EAFNOSUPPORT);
  EXPECT_EQ(socket(AF_INET, 11, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(socket(AF_INET, SOCK_STREAM | 0x10, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(socket(AF_INET, SOCK_SEQPACKET, 0), -1);
  EXPECT_EQ(errno, ESOCKTNOSUPPORT);
  EXPECT_EQ(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
  EXPECT_EQ(errno, EPROTONOSUPPORT);
  EXPECT_EQ(socket(AF_INET6, SOCK_DGRAM, IPPROTO_TCP), -1);
  EXPECT_EQ(errno, EPROTONOSUPPORT);
  int fds[2];
  EXPECT_EQ(socketpair(AF_INET, SOCK_STREAM, 0, fds), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST(Arguments, Flags) {
  const Fd plain(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(fcntl(plain, F_GETFD), 0);
  EXPECT_EQ(fcntl(plain, F_GETFL), O_RDWR);
  const Fd both(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_EQ(fcntl(both, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(both, F_GETFL), O_RDWR | O_NONBLOCK);
  struct stat status;
  ASSERT_EQ(fstat(plain, &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(lseek(plain, 0, SEEK_CUR), -1);
  EXPECT_EQ(errno, ESPIPE);
}

TEST(Arguments, NotASocket) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Fd read(ends[0]), write(ends[1]);
  char byte = 0;
  const sockaddr_in address = Ipv4(1);
  EXPECT_EQ(listen(read, 1), -1);
  EXPECT_EQ(errno, ENOTSOCK);
  EXPECT_EQ(Connect(read, address), -1);
  EXPECT_EQ(errno, ENOTSOCK);
  EXPECT_EQ(send(write, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTSOCK);
  EXPECT_EQ(recv(read, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ENOTSOCK);
  EXPECT_EQ(accept(-1, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(shutdown(999, SHUT_RD), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(Arguments, Addresses) {
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = Ipv4(0);
  EXPECT_EQ(bind(fd, kBadAddress, sizeof(address)), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), 8), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), 4096), -1);
  EXPECT_EQ(errno, EINVAL);
  address.sin_family = AF_INET6;
  EXPECT_EQ(Bind(fd, address), -1);
  EXPECT_EQ(errno, EAFNOSUPPORT);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0xc0000201);  // 192.0.2.1, which nobody has
  EXPECT_EQ(Bind(fd, address), -1);
  EXPECT_EQ(errno, EADDRNOTAVAIL);
  EXPECT_EQ(Bind(fd, Ipv4(0)), 0);
  EXPECT_EQ(Bind(fd, Ipv4(0)), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(listen(fd, 1), 0);
  const Fd other(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(Bind(other, Ipv4(PortOf(fd))), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  socklen_t size = static_cast<socklen_t>(-1);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), -1);
  EXPECT_EQ(errno, EINVAL);
  // Less room than needed: the address is cut off, its size told.
  sockaddr_in part;
  std::memset(&part, 0xee, sizeof(part));
  size = 4;
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&part), &size), 0);
  EXPECT_EQ(size, sizeof(sockaddr_in));
  EXPECT_EQ(part.sin_port, htons(PortOf(fd)));
  EXPECT_EQ(part.sin_addr.s_addr, 0xeeeeeeee);
  EXPECT_EQ(getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

int IntegerOption(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0) << level << " " << name << ": " << errno;
  EXPECT_EQ(size, sizeof(value));
  return value;
}

void Set(int fd, int level, int name, int value) {
  EXPECT_EQ(setsockopt(fd, level, name, &value, sizeof(value)), 0)
      << level << " " << name << ": " << errno;
}

TEST(Options, Integers) {
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_ERROR), 0);
  const struct {
    int level, name;
  } flags[] = {{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE},
               {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_OOBINLINE}, {IPPROTO_TCP, TCP_NODELAY},
               {IPPROTO_TCP, TCP_CORK}};
  for (const auto& [level, name] : flags) {
    EXPECT_EQ(IntegerOption(fd, level, name), 0) << level << " " << name;
    Set(fd, level, name, 1);
    EXPECT_NE(IntegerOption(fd, level, name), 0) << level << " " << name;
    Set(fd, level, name, 0);
    EXPECT_EQ(IntegerOption(fd, level, name), 0) << level << " " << name;
  }
  const struct {
    int level, name, value;
  } numbers[] = {{IPPROTO_TCP, TCP_KEEPIDLE, 77}, {IPPROTO_TCP, TCP_KEEPINTVL, 11},
                 {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
                 {IPPROTO_TCP, TCP_SYNCNT, 4},    {IPPROTO_IP, IP_TTL, 33},
                 {IPPROTO_IP, IP_TOS, 16}};
  for (const auto& [level, name, value] : numbers) {
    Set(fd, level, name, value);
    EXPECT_EQ(IntegerOption(fd, level, name), value) << level << " " << name;
  }
  // Linux doubles what it is asked for.
  Set(fd, SOL_SOCKET, SO_RCVBUF, 20000);
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_RCVBUF), 40000);
  Set(fd, SOL_SOCKET, SO_SNDBUF, 20000);
  EXPECT_EQ(IntegerOption(fd, SOL_SOCKET, SO_SNDBUF), 40000);
  const Fd six(socket(AF_INET6, SOCK_DGRAM, 0));
  Set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  EXPECT_EQ(IntegerOption(six, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_EQ(IntegerOption(Listener(), SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST(Options, Structures) {
  const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  const linger wanted = {.l_onoff = 1, .l_linger = 7};
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wanted, sizeof(wanted)), 0);
  linger got = {};
  socklen_t size = sizeof(got);
  ASSERT_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &size), 0);
  EXPECT_EQ(got.l_onoff, 1);
  EXPECT_EQ(got.l_linger, 7);
  for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    const timeval timeout = {.tv_sec = 3, .tv_usec = 500'000};
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, name, &timeout, sizeof(timeout)), 0);
    timeval back = {};
    size = sizeof(back);
    ASSERT_EQ(getsockopt(fd, SOL_SOCKET, name, &back, &size), 0);
    EXPECT_EQ(back.tv_sec, 3);
    EXPECT_EQ(size, sizeof(back));
    const timeval wrong = {.tv_sec = 0, .tv_usec = 1'000'000};
    EXPECT_EQ(setsockopt(fd, SOL_SOCKET, name, &wrong, sizeof(wrong)), -1);
    EXPECT_EQ(errno, EDOM);
  }
  int value = 1;
  EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, kBadAddress, sizeof(value)), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
  EXPECT_EQ(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, 0x4000, &value, sizeof(value)), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
}

TEST(Options, AcceptedSocketsHaveThoseOfTheirListener) {
  const Fd listener(socket(AF_INET, SOCK_STREAM, 0));
  const struct {
    int level, name, value;
  } numbers[] = {{SOL_SOCKET, SO_REUSEADDR, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
                 {SOL_SOCKET, SO_OOBINLINE, 1},   {IPPROTO_TCP, TCP_NODELAY, 1},
                 {IPPROTO_TCP, TCP_KEEPIDLE, 77}, {IPPROTO_TCP, TCP_KEEPINTVL, 11},
                 {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
                 {IPPROTO_IP, IP_TTL, 33},        {IPPROTO_IP, IP_TOS, 16}};
  for (const auto& [level, name, value] : numbers) {
    Set(listener, level, name, value);
  }
  Set(listener, SOL_SOCKET, SO_RCVBUF, 20000);
  Set(listener, SOL_SOCKET, SO_SNDBUF, 20000);
  const linger lingers = {.l_onoff = 1, .l_linger = 7};
  ASSERT_EQ(setsockopt(listener, SOL_SOCKET, SO_LINGER, &lingers, sizeof(lingers)), 0);
  const timeval wait = {.tv_sec = 3, .tv_usec = 0};
  ASSERT_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
  const timeval send_wait = {.tv_sec = 5, .tv_usec = 0};
  ASSERT_EQ(setsockopt(listener, SOL_SOCKET, SO_SNDTIMEO, &send_wait, sizeof(send_wait)), 0);
  ASSERT_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(Bind(listener, Ipv4(0)), 0);
  ASSERT_EQ(listen(listener, 1), 0);

  const Fd client = ConnectTo(listener);
  ASSERT_EQ(PollFor(listener, POLLIN, 10'000), POLLIN);
  const Fd accepted(accept(listener, nullptr, nullptr));
  ASSERT_GE(accepted, 0);
  for (const auto& [level, name, value] : numbers) {
    EXPECT_EQ(IntegerOption(accepted, level, name), value) << level << " " << name;
  }
  EXPECT_EQ(IntegerOption(accepted, SOL_SOCKET, SO_RCVBUF), 40000);
  EXPECT_EQ(IntegerOption(accepted, SOL_SOCKET, SO_SNDBUF), 40000);
  EXPECT_EQ(IntegerOption(accepted, SOL_SOCKET, SO_ACCEPTCONN), 0);
  linger got = {};
  socklen_t size = sizeof(got);
  ASSERT_EQ(getsockopt(accepted, SOL_SOCKET, SO_LINGER, &got, &size), 0);
  EXPECT_EQ(got.l_linger, 7);
  timeval timeout = {};
  size = sizeof(timeout);
  ASSERT_EQ(getsockopt(accepted, SOL_SOCKET, SO_RCVTIMEO, &timeout, &size), 0);
  EXPECT_EQ(timeout.tv_sec, 3);
  ASSERT_EQ(getsockopt(accepted, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size), 0);
  EXPECT_EQ(timeout.tv_sec, 5);
  EXPECT_EQ(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
}

TEST(Options, IoControls) {
  Pair pair = Connected();
  ASSERT_EQ(send(pair.client, "12345", 5, 0), 5);
  ASSERT_EQ(PollFor(pair.server, POLLIN, 10'000), POLLIN);
  int count = 0;
  ASSERT_EQ(ioctl(pair.server, FIONREAD, &count), 0);
  EXPECT_EQ(count, 5);
  int on = 1;
  ASSERT_EQ(ioctl(pair.server, FIONBIO, &on), 0);
  EXPECT_EQ(Receive(pair.server, 100), "12345");
  char byte;
  EXPECT_EQ(recv(pair.server, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(ioctl(pair.server, 0x5999, &count), -1);
  EXPECT_EQ(errno, ENOTTY);
}

}  // namespace
}  // namespace loopback
