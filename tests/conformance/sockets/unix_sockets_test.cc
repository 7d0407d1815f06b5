// SPDX-License-Identifier: Apache-2.0
// Unix-domain sockets: names, connections, messages, passed files, readiness, ends.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/files/folder.h"

namespace {

struct Address {
  explicit Address(std::string_view path) {
    name.sun_family = AF_UNIX;
    memcpy(name.sun_path, path.data(), path.size());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
  sockaddr_un name = {};
  socklen_t size;
};

struct Pair {
  explicit Pair(int type = SOCK_STREAM) { EXPECT_EQ(socketpair(AF_UNIX, type, 0, fds), 0); }
  ~Pair() {
    Close(0);
    Close(1);
  }
  void Close(int i) {
    if (fds[i] >= 0) {
      close(fds[i]);
      fds[i] = -1;
    }
  }
  int operator[](int i) const { return fds[i]; }
  int fds[2];
};

std::string Read(int fd, size_t size = 4096, int flags = 0) {
  std::string text(size, '\0');
  const ssize_t got = recv(fd, text.data(), size, flags);
  if (got < 0) {
    return strerror(errno);
  }
  text.resize(static_cast<size_t>(got));
  return text;
}

ssize_t Send(int fd, std::string_view text, int flags = 0) {
  const ssize_t sent = send(fd, text.data(), text.size(), flags);
  return sent >= 0 ? sent : -errno;
}

short Events(int fd, int timeout = 0) {
  pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP, .revents = 0};
  poll(&entry, 1, timeout);
  return entry.revents;
}

// Sends `text` with files.
ssize_t SendFiles(int fd, std::string_view text, const std::vector<int>& files) {
  iovec part = {.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  std::vector<char> control(CMSG_SPACE(files.size() * sizeof(int)));
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!files.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(control.size());
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len =
        static_cast<decltype(header->cmsg_len)>(CMSG_LEN(files.size() * sizeof(int)));
    memcpy(CMSG_DATA(header), files.data(), files.size() * sizeof(int));
  }
  const ssize_t sent = sendmsg(fd, &message, 0);
  return sent >= 0 ? sent : -errno;
}

struct Received {
  std::string text;
  std::vector<int> files;
  ucred sender = {.pid = -1, .uid = 0, .gid = 0};
  int flags = 0;
};

// The macro of musl compares numbers of different signs.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wsign-compare"
cmsghdr* NextHeader(msghdr& message, cmsghdr* header) { return CMSG_NXTHDR(&message, header); }
#pragma clang diagnostic pop

Received Receive(int fd, size_t size = 4096, int flags = 0, size_t control_size = 512) {
  Received got;
  got.text.resize(size);
  std::vector<char> control(control_size);
  iovec part = {.iov_base = got.text.data(), .iov_len = size};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(control_size);
  const ssize_t count = recvmsg(fd, &message, flags);
  if (count < 0) {
    got.text = strerror(errno);
    return got;
  }
  got.text.resize(static_cast<size_t>(count) < size ? static_cast<size_t>(count) : size);
  got.flags = message.msg_flags;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = NextHeader(message, header)) {
    if (header->cmsg_type == SCM_RIGHTS) {
      const size_t files = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < files; ++i) {
        int file;
        memcpy(&file, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        got.files.push_back(file);
      }
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      memcpy(&got.sender, CMSG_DATA(header), sizeof(got.sender));
    }
  }
  return got;
}

class UnixSockets : public InFolder {
 protected:
  void SetUp() override {
    InFolder::SetUp();
    signal(SIGPIPE, SIG_IGN);
  }

  static int Listen(const Address& address, int type = SOCK_STREAM, int backlog = 5) {
    const int fd = socket(AF_UNIX, type, 0);
    EXPECT_EQ(bind(fd, address.get(), address.size), 0) << strerror(errno);
    EXPECT_EQ(listen(fd, backlog), 0);
    return fd;
  }
  static int Connect(const Address& address, int type = SOCK_STREAM) {
    const int fd = socket(AF_UNIX, type, 0);
    if (connect(fd, address.get(), address.size) == 0) {
      return fd;
    }
    const int error = errno;
    close(fd);
    return -error;
  }
};

TEST_F(UnixSockets, AStreamHasNoBorders) {
  Pair pair;
  EXPECT_EQ(Send(pair[0], "one"), 3);
  EXPECT_EQ(Send(pair[0], "two"), 3);
  EXPECT_EQ(Read(pair[1], 4), "onet");
  EXPECT_EQ(Read(pair[1], 10, MSG_PEEK), "wo");
  EXPECT_EQ(Read(pair[1], 10), "wo");
  EXPECT_EQ(Read(pair[1], 1, MSG_DONTWAIT), strerror(EAGAIN));
  EXPECT_EQ(write(pair[1], "back", 4), 4);
  char buffer[8];
  EXPECT_EQ(read(pair[0], buffer, sizeof(buffer)), 4);
}

TEST_F(UnixSockets, WaitAllWaitsForAll) {
  Pair pair;
  std::thread sender([&] {
    Send(pair[0], "ab");
    usleep(2000);
    Send(pair[0], "cdef");
  });
  EXPECT_EQ(Read(pair[1], 5, MSG_WAITALL), "abcde");
  sender.join();
}

TEST_F(UnixSockets, MuchDataKeepsItsOrder) {
  Pair pair;
  constexpr size_t kTotal = 3'000'000;
  std::thread sender([&] {
    std::vector<uint8_t> data(70'000);
    size_t done = 0;
    while (done < kTotal) {
      const size_t part = std::min(data.size(), kTotal - done);
      for (size_t i = 0; i < part; ++i) {
        data[i] = static_cast<uint8_t>((done + i) * 7 % 251);
      }
      const ssize_t sent = send(pair[0], data.data(), part, 0);
      ASSERT_GT(sent, 0);
      done += static_cast<size_t>(sent);
    }
    shutdown(pair[0], SHUT_WR);
  });
  std::vector<uint8_t> data(33'333);
  size_t done = 0;
  while (true) {
    const ssize_t got = recv(pair[1], data.data(), data.size(), 0);
    if (got <= 0) {
      EXPECT_EQ(got, 0);
      break;
    }
    for (ssize_t i = 0; i < got; ++i) {
      ASSERT_EQ(data[static_cast<size_t>(i)], (done + static_cast<size_t>(i)) * 7 % 251);
    }
    done += static_cast<size_t>(got);
  }
  EXPECT_EQ(done, kTotal);
  sender.join();
}

TEST_F(UnixSockets, AFullStreamTakesNoMore) {
  Pair pair(SOCK_STREAM | SOCK_NONBLOCK);
  const std::string block(4096, 'x');
  size_t sent = 0;
  while (Send(pair[0], block) > 0) {
    sent += block.size();
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_GE(sent, 100'000u);
  EXPECT_EQ(Events(pair[0]) & POLLOUT, 0);
  while (Read(pair[1]).size() == 4096) {
  }
  EXPECT_EQ(Events(pair[0]) & POLLOUT, POLLOUT);
}

TEST_F(UnixSockets, PathsAreNames) {
  const Address address("socket");
  const int listener = Listen(address);
  struct stat status;
  EXPECT_EQ(stat("socket", &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  const int second = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQ(bind(second, address.get(), address.size), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  EXPECT_EQ(bind(listener, Address("other").get(), Address("other").size), -1);
  EXPECT_EQ(errno, EINVAL);

  EXPECT_EQ(Events(listener), 0);
  const int client = Connect(address);
  ASSERT_GE(client, 0);
  EXPECT_EQ(Events(listener), POLLIN);
  sockaddr_un name = {};
  socklen_t size = sizeof(name);
  const int server = accept4(listener, reinterpret_cast<sockaddr*>(&name), &size, SOCK_CLOEXEC);
  ASSERT_GE(server, 0);
  EXPECT_EQ(size, sizeof(sa_family_t));
  EXPECT_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
  for (const int fd : {listener, server}) {
    size = sizeof(name);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size), 0);
    EXPECT_EQ(size, offsetof(sockaddr_un, sun_path) + sizeof("socket"));
    EXPECT_STREQ(name.sun_path, "socket");
  }
  size = sizeof(name);
  EXPECT_EQ(getpeername(client, reinterpret_cast<sockaddr*>(&name), &size), 0);
  EXPECT_STREQ(name.sun_path, "socket");
  size = sizeof(name);
  EXPECT_EQ(getsockname(client, reinterpret_cast<sockaddr*>(&name), &size), 0);
  EXPECT_EQ(size, sizeof(sa_family_t));
  EXPECT_EQ(getpeername(listener, reinterpret_cast<sockaddr*>(&name), &size), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(Send(client, "hello"), 5);
  EXPECT_EQ(Read(server), "hello");
  EXPECT_EQ(connect(client, address.get(), address.size), -1);
  EXPECT_EQ(errno, EISCONN);

  // The name leads nowhere once the socket is closed.
  close(listener);
  EXPECT_EQ(Connect(address), -ECONNREFUSED);
  EXPECT_EQ(open("socket", O_RDWR), -1);
  EXPECT_EQ(errno, ENXIO);
  unlink("socket");
  EXPECT_EQ(Connect(address), -ENOENT);
  EXPECT_EQ(Send(server, "still"), 5);
  EXPECT_EQ(Read(client), "still");
  close(client);
  close(server);
  close(second);
}

TEST_F(UnixSockets, AbstractNames) {
  const std::string text = std::string("\0nsgx-test-", 11) + std::to_string(getpid());
  const Address address(text);
  const int listener = Listen(address);
  const int second = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQ(bind(second, address.get(), address.size), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  const int client = Connect(address);
  ASSERT_GE(client, 0);
  EXPECT_EQ(Connect(Address(text + "x")), -ECONNREFUSED);
  close(client);
  close(listener);
  EXPECT_EQ(Connect(address), -ECONNREFUSED);
  EXPECT_EQ(bind(second, address.get(), address.size), 0);
  close(second);
  // Without a name one is made up.
  const int any = socket(AF_UNIX, SOCK_DGRAM, 0);
  const sockaddr_un none = {.sun_family = AF_UNIX, .sun_path = {}};
  EXPECT_EQ(bind(any, reinterpret_cast<const sockaddr*>(&none), sizeof(sa_family_t)), 0);
  sockaddr_un name = {};
  socklen_t size = sizeof(name);
  EXPECT_EQ(getsockname(any, reinterpret_cast<sockaddr*>(&name), &size), 0);
  EXPECT_EQ(size, sizeof(sa_family_t) + 6);
  EXPECT_EQ(name.sun_path[0], '\0');
  close(any);
}

TEST_F(UnixSockets, ErrorsOfAddresses) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name = {.sun_family = AF_INET, .sun_path = "x"};
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), 10), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&name), 10), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(bind(fd, Address("none/x").get(), Address("none/x").size), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(listen(fd, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(accept(fd, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(Send(fd, "x"), -ENOTCONN);
  EXPECT_EQ(Read(fd), strerror(EINVAL));
  EXPECT_EQ(Events(fd), POLLOUT | POLLHUP);
  close(fd);
  close(open("plain", O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(Connect(Address("plain")), -ECONNREFUSED);
  const int listener = Listen(Address("stream"));
  EXPECT_EQ(Connect(Address("stream"), SOCK_SEQPACKET), -EPROTOTYPE);
  EXPECT_EQ(connect(listener, Address("stream").get(), Address("stream").size), -1);
  EXPECT_EQ(errno, EINVAL);
  close(listener);
  EXPECT_EQ(socket(AF_UNIX, SOCK_STREAM, 77), -1);
  EXPECT_EQ(errno, EPROTONOSUPPORT);
  EXPECT_EQ(socket(AF_UNIX, SOCK_RDM, 0), -1);
  EXPECT_EQ(errno, ESOCKTNOSUPPORT);
}

TEST_F(UnixSockets, TheBacklogIsBounded) {
  const Address address("socket");
  const int listener = Listen(address, SOCK_STREAM, 1);
  std::vector<int> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(Connect(address));
    EXPECT_GE(clients.back(), 0);
  }
  const int more = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EXPECT_EQ(connect(more, address.get(), address.size), -1);
  EXPECT_EQ(errno, EAGAIN);
  // One that waits gets in when another is accepted.
  std::atomic<int> waited{0};
  std::thread waiting([&] { waited = Connect(address); });
  usleep(2000);
  const int server = accept(listener, nullptr, nullptr);
  waiting.join();
  EXPECT_GE(waited.load(), 0);
  // What has not been accepted is broken.
  close(listener);
  EXPECT_EQ(Read(clients[1]), strerror(ECONNRESET));
  EXPECT_EQ(Read(clients[1]), "");
  close(waited);
  close(more);
  close(server);
  close(clients[0]);
  close(clients[1]);
}

TEST_F(UnixSockets, TheOtherSideGoes) {
  Pair pair;
  EXPECT_EQ(Send(pair[0], "last"), 4);
  pair.Close(0);
  EXPECT_EQ(Events(pair[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  EXPECT_EQ(Read(pair[1]), "last");
  EXPECT_EQ(Read(pair[1]), "");
  EXPECT_EQ(Send(pair[1], "x"), -EPIPE);
  // Unread data breaks the connection.
  Pair other;
  Send(other[0], "unread");
  other.Close(1);
  EXPECT_EQ(Events(other[0]) & POLLERR, POLLERR);
  int error = 0;
  socklen_t size = sizeof(error);
  EXPECT_EQ(getsockopt(other[0], SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, ECONNRESET);
  EXPECT_EQ(getsockopt(other[0], SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(Read(other[0]), "");
}

volatile sig_atomic_t broken_pipes = 0;

TEST_F(UnixSockets, SigpipeComesUnlessUnwanted) {
  signal(SIGPIPE, [](int) { broken_pipes = broken_pipes + 1; });
  Pair pair;
  pair.Close(0);
  EXPECT_EQ(Send(pair[1], "x", MSG_NOSIGNAL), -EPIPE);
  EXPECT_EQ(broken_pipes, 0);
  EXPECT_EQ(Send(pair[1], "x"), -EPIPE);
  EXPECT_EQ(broken_pipes, 1);
  EXPECT_EQ(write(pair[1], "x", 1), -1);
  EXPECT_EQ(broken_pipes, 2);
  signal(SIGPIPE, SIG_IGN);
}

TEST_F(UnixSockets, ShutdownInEitherDirection) {
  Pair pair;
  Send(pair[0], "before");
  EXPECT_EQ(shutdown(pair[0], SHUT_WR), 0);
  EXPECT_EQ(Send(pair[0], "x"), -EPIPE);
  EXPECT_EQ(Events(pair[1]), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_EQ(Read(pair[1]), "before");
  EXPECT_EQ(Read(pair[1]), "");
  EXPECT_EQ(Send(pair[1], "reply"), 5);
  EXPECT_EQ(Read(pair[0]), "reply");
  EXPECT_EQ(shutdown(pair[0], SHUT_RD), 0);
  EXPECT_EQ(Send(pair[1], "x"), -EPIPE);
  EXPECT_EQ(Read(pair[0]), "");
  EXPECT_EQ(Events(pair[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  EXPECT_EQ(shutdown(pair[0], 3), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(UnixSockets, Datagrams) {
  const Address here("here");
  const Address there("there");
  const int first = socket(AF_UNIX, SOCK_DGRAM, 0);
  const int second = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  ASSERT_EQ(bind(first, here.get(), here.size), 0);
  ASSERT_EQ(bind(second, there.get(), there.size), 0);
  EXPECT_EQ(sendto(first, "one", 3, 0, there.get(), there.size), 3);
  EXPECT_EQ(sendto(first, "", 0, 0, there.get(), there.size), 0);
  EXPECT_EQ(sendto(first, "longer", 6, 0, there.get(), there.size), 6);
  int available = 0;
  EXPECT_EQ(ioctl(second, FIONREAD, &available), 0);
  EXPECT_EQ(available, 3);
  char buffer[4];
  sockaddr_un name = {};
  socklen_t size = sizeof(name);
  EXPECT_EQ(recvfrom(second, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&name), &size),
            3);
  EXPECT_STREQ(name.sun_path, "here");
  EXPECT_EQ(size, offsetof(sockaddr_un, sun_path) + 5);
  EXPECT_EQ(Read(second), "");
  EXPECT_EQ(Receive(second, 4, MSG_PEEK).flags & MSG_TRUNC, MSG_TRUNC);
  EXPECT_EQ(recv(second, buffer, sizeof(buffer), MSG_TRUNC), 6);
  EXPECT_EQ(Read(second), strerror(EAGAIN));

  EXPECT_EQ(Send(first, "x"), -ENOTCONN);
  EXPECT_EQ(connect(first, there.get(), there.size), 0);
  EXPECT_EQ(Send(first, "connected"), 9);
  EXPECT_EQ(Read(second), "connected");
  // Who is connected takes nothing from others.
  const int third = socket(AF_UNIX, SOCK_DGRAM, 0);
  EXPECT_EQ(sendto(third, "x", 1, 0, here.get(), here.size), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(sendto(second, "back", 4, 0, here.get(), here.size), 4);
  EXPECT_EQ(Read(first), "back");
  const std::string huge(1 << 20, 'x');
  EXPECT_EQ(Send(first, huge), -EMSGSIZE);
  close(second);
  EXPECT_EQ(Send(first, "x"), -ECONNREFUSED);
  EXPECT_EQ(Send(first, "x"), -ENOTCONN);
  EXPECT_EQ(sendto(first, "x", 1, 0, there.get(), there.size), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(listen(first, 1), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  sockaddr none = {.sa_family = AF_UNSPEC, .sa_data = {}};
  EXPECT_EQ(connect(first, &none, sizeof(none)), 0);
  close(first);
  close(third);
}

TEST_F(UnixSockets, ADatagramPair) {
  Pair pair(SOCK_DGRAM | SOCK_NONBLOCK);
  EXPECT_EQ(Send(pair[0], "a"), 1);
  EXPECT_EQ(Send(pair[0], "bc"), 2);
  EXPECT_EQ(Read(pair[1]), "a");
  EXPECT_EQ(Read(pair[1]), "bc");
  while (Send(pair[0], std::string(1000, 'x')) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(Events(pair[0]) & POLLOUT, 0);
  pair.Close(1);
  EXPECT_EQ(Send(pair[0], "x"), -ECONNREFUSED);
}

TEST_F(UnixSockets, PacketsInSequence) {
  const Address address("packets");
  const int listener = Listen(address, SOCK_SEQPACKET);
  const int client = Connect(address, SOCK_SEQPACKET);
  const int server = accept(listener, nullptr, nullptr);
  ASSERT_GE(server, 0);
  EXPECT_EQ(Send(client, "first"), 5);
  EXPECT_EQ(Send(client, "second"), 6);
  const Received part = Receive(server, 3);
  EXPECT_EQ(part.text, "fir");
  EXPECT_EQ(part.flags & MSG_TRUNC, MSG_TRUNC);
  EXPECT_EQ(Read(server), "second");
  close(client);
  EXPECT_EQ(Read(server), "");
  EXPECT_EQ(Send(server, "x"), -EPIPE);
  close(server);
  close(listener);
}

TEST_F(UnixSockets, FilesArePassed) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    Pair pair(type);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    EXPECT_EQ(SendFiles(pair[0], "files", {ends[0], ends[1]}), 5);
    EXPECT_EQ(Send(pair[0], "none"), 4);
    close(ends[0]);
    close(ends[1]);
    // Looking at a message opens its files, too.
    const Received peeked = Receive(pair[1], 4096, MSG_PEEK);
    EXPECT_EQ(peeked.files.size(), 2u);
    for (const int fd : peeked.files) {
      close(fd);
    }
    const Received got = Receive(pair[1], 4096, MSG_CMSG_CLOEXEC);
    EXPECT_EQ(got.text, "files");
    ASSERT_EQ(got.files.size(), 2u);
    EXPECT_EQ(fcntl(got.files[0], F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(write(got.files[1], "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(read(got.files[0], &byte, 1), 1);
    close(got.files[0]);
    close(got.files[1]);
    EXPECT_EQ(Receive(pair[1]).files.size(), 0u);
    EXPECT_EQ(SendFiles(pair[0], "bad", {0x7ff}), -EBADF);
  }
}

TEST_F(UnixSockets, FilesStayWithTheirBytes) {
  Pair pair;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Send(pair[0], "ab");
  SendFiles(pair[0], "cd", {ends[0]});
  SendFiles(pair[0], "ef", {ends[1]});
  Received got = Receive(pair[1]);
  // Bytes before the files may come with them, or alone; those behind do not.
  if (got.text == "ab") {
    EXPECT_EQ(got.files.size(), 0u);
    got = Receive(pair[1]);
    EXPECT_EQ(got.text, "cd");
  }
  ASSERT_EQ(got.files.size(), 1u);
  close(got.files[0]);
  got = Receive(pair[1], 1);
  EXPECT_EQ(got.text, "e");
  ASSERT_EQ(got.files.size(), 1u);
  close(got.files[0]);
  EXPECT_EQ(Receive(pair[1]).files.size(), 0u);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(UnixSockets, FilesWithoutRoomAreClosed) {
  Pair pair;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  SendFiles(pair[0], "x", {ends[1], ends[1], ends[1]});
  const Received got = Receive(pair[1], 10, 0, CMSG_SPACE(sizeof(int)));
  EXPECT_EQ(got.flags & MSG_CTRUNC, MSG_CTRUNC);
  for (const int fd : got.files) {
    close(fd);
  }
  SendFiles(pair[0], "y", {ends[1]});
  EXPECT_EQ(Read(pair[1]), "y");
  close(ends[1]);
  // So nobody writes any more.
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

// Whether nobody can write to a pipe any more.
bool IsOver(int read_end) {
  pollfd entry = {.fd = read_end, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 3000) == 1 && (entry.revents & POLLHUP) != 0;
}

TEST_F(UnixSockets, WhatNobodyCanReceiveIsClosed) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    Pair pair;
    SendFiles(pair[0], "x", {ends[1]});
  }
  close(ends[1]);
  EXPECT_TRUE(IsOver(ends[0]));
  close(ends[0]);
}

TEST_F(UnixSockets, SocketsInEachOthersQueuesAreFound) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    Pair pair;
    Pair other;
    SendFiles(pair[0], "own", {pair[1]});               // in its own queue
    SendFiles(pair[0], "cycle", {other[0], other[1]});  // and two that lie in there
    SendFiles(other[0], "back", {pair[0], pair[1], ends[1]});
  }
  close(ends[1]);
  // The last to be closed lets the others be found.
  Pair().Close(0);
  EXPECT_TRUE(IsOver(ends[0]));
  close(ends[0]);
}

TEST_F(UnixSockets, SocketsThatCanBeReceivedLive) {
  Pair pair;
  int inner[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, inner), 0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  SendFiles(inner[0], "deep", {ends[1]});
  SendFiles(pair[0], "sockets", {inner[0], inner[1]});
  close(inner[0]);
  close(inner[1]);
  close(ends[1]);
  Pair().Close(0);
  const Received got = Receive(pair[1]);
  ASSERT_EQ(got.files.size(), 2u);
  const Received deep = Receive(got.files[1]);
  EXPECT_EQ(deep.text, "deep");
  ASSERT_EQ(deep.files.size(), 1u);
  EXPECT_EQ(write(deep.files[0], "x", 1), 1);
  for (const int fd : {got.files[0], got.files[1], deep.files[0], ends[0]}) {
    close(fd);
  }
}

TEST_F(UnixSockets, Credentials) {
  const Address address("socket");
  const int listener = Listen(address);
  const int client = Connect(address);
  const int server = accept(listener, nullptr, nullptr);
  for (const int fd : {client, server}) {
    ucred peer = {};
    socklen_t size = sizeof(peer);
    EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
    EXPECT_EQ(peer.pid, getpid());
    EXPECT_EQ(peer.uid, getuid());
    EXPECT_EQ(peer.gid, getgid());
  }
  Send(client, "a");
  EXPECT_EQ(Receive(server).sender.pid, -1);
  const int on = 1;
  EXPECT_EQ(setsockopt(server, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  Send(client, "b");
  const Received got = Receive(server);
  EXPECT_EQ(got.sender.pid, getpid());
  EXPECT_EQ(got.sender.uid, getuid());
  close(client);
  close(server);
  close(listener);
}

TEST_F(UnixSockets, Options) {
  Pair pair;
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &size), 0);
  EXPECT_EQ(value, SOCK_STREAM);
  EXPECT_EQ(getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &value, &size), 0);
  EXPECT_EQ(value, AF_UNIX);
  value = 10'000;
  EXPECT_EQ(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)), 0);
  EXPECT_EQ(getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, &size), 0);
  EXPECT_EQ(value, 20'000);
  timeval timeout = {.tv_sec = 0, .tv_usec = 2000};
  EXPECT_EQ(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  EXPECT_EQ(Read(pair[1]), strerror(EAGAIN));
  const int listener = Listen(Address("listener"));
  EXPECT_EQ(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &size), 0);
  EXPECT_EQ(value, 1);
  close(listener);
}

TEST_F(UnixSockets, EpollTellsEveryEdge) {
  Pair pair(SOCK_STREAM | SOCK_NONBLOCK);
  const int set = epoll_create1(0);
  epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.fd = pair[1]}};
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, pair[1], &event), 0);
  EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
  for (int i = 0; i < 3; ++i) {
    Send(pair[0], "x");
    EXPECT_EQ(epoll_wait(set, &event, 1, 1000), 1);
    EXPECT_EQ(event.events, static_cast<uint32_t>(EPOLLIN));
    EXPECT_EQ(epoll_wait(set, &event, 1, 0), 0);
  }
  pair.Close(0);
  EXPECT_EQ(epoll_wait(set, &event, 1, 1000), 1);
  EXPECT_EQ(event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP),
            static_cast<uint32_t>(EPOLLIN | EPOLLRDHUP | EPOLLHUP));
  // A listening socket, and one that gets connected while it is watched.
  const Address address("socket");
  const int listener = Listen(address);
  event = {.events = EPOLLIN, .data = {.fd = listener}};
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event), 0);
  EXPECT_EQ(epoll_ctl(set, EPOLL_CTL_DEL, pair[1], nullptr), 0);
  std::thread connecting([&] {
    usleep(2000);
    close(Connect(address));
  });
  EXPECT_EQ(epoll_wait(set, &event, 1, 3000), 1);
  EXPECT_EQ(event.data.fd, listener);
  connecting.join();
  close(listener);
  close(set);
}

TEST_F(UnixSockets, ThreadsPlayPingPong) {
  Pair pair;
  constexpr int kRounds = 500;
  std::thread other([&] {
    char byte;
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_EQ(recv(pair[1], &byte, 1, 0), 1);
      ASSERT_EQ(send(pair[1], &byte, 1, 0), 1);
    }
  });
  char byte = 'p';
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_EQ(send(pair[0], &byte, 1, 0), 1);
    ASSERT_EQ(recv(pair[0], &byte, 1, 0), 1);
  }
  other.join();
}

}  // namespace
