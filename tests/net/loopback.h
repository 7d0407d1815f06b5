// SPDX-License-Identifier: Apache-2.0
// Sockets on the loopback interface, as the tests in this folder want them.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace loopback {

// A descriptor that is closed with it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  ~Fd() { Close(); }
  void Close() {
    if (fd_ >= 0) {
      close(std::exchange(fd_, -1));
    }
  }
  operator int() const { return fd_; }  // NOLINT: it is one

 private:
  int fd_ = -1;
};

inline sockaddr_in Ipv4(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline uint16_t PortOf(int fd) {
  sockaddr_storage name = {};
  socklen_t size = sizeof(name);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size), 0);
  return ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(name).sin6_port
                                          : reinterpret_cast<sockaddr_in&>(name).sin_port);
}

template <typename Address>
int Bind(int fd, const Address& address) {
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}
template <typename Address>
int Connect(int fd, const Address& address) {
  return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

// A socket that listens on a port of the host's choice.
inline Fd Listener(int flags = 0, int backlog = 128) {
  Fd fd(socket(AF_INET, SOCK_STREAM | flags, 0));
  EXPECT_GE(fd, 0);
  EXPECT_EQ(Bind(fd, Ipv4(0)), 0);
  EXPECT_EQ(listen(fd, backlog), 0);
  return fd;
}

inline Fd ConnectTo(int listener, int flags = 0) {
  Fd fd(socket(AF_INET, SOCK_STREAM | flags, 0));
  EXPECT_GE(fd, 0);
  EXPECT_EQ(Connect(fd, Ipv4(PortOf(listener))), 0) << errno;
  return fd;
}

struct Pair {
  Fd client, server;
};
inline Pair Connected() {
  const Fd listener = Listener();
  Pair pair;
  pair.client = ConnectTo(listener);
  pair.server = Fd(accept(listener, nullptr, nullptr));
  EXPECT_GE(pair.server, 0);
  return pair;
}

inline std::string Receive(int fd, size_t most, int flags = 0) {
  std::string data(most, '\0');
  const ssize_t size = recv(fd, data.data(), most, flags);
  EXPECT_GE(size, 0) << errno;
  data.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return data;
}

// What poll says within `timeout` milliseconds.
inline int PollFor(int fd, int events, int timeout) {
  pollfd entry = {.fd = fd, .events = static_cast<short>(events), .revents = 0};
  const int count = poll(&entry, 1, timeout);
  return count <= 0 ? count : entry.revents;
}

}  // namespace loopback
