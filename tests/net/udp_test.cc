// SPDX-License-Identifier: Apache-2.0
// UDP between sockets of one program.
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <string>

#include "tests/net/loopback.h"

namespace loopback {
namespace {

Fd Bound() {
  Fd fd(socket(AF_INET, SOCK_DGRAM, 0));
  EXPECT_EQ(Bind(fd, Ipv4(0)), 0);
  return fd;
}

template <typename Address>
ssize_t SendTo(int fd, std::string_view data, const Address& to) {
  return sendto(fd, data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                sizeof(to));
}

TEST(Udp, ThereAndBack) {
  const Fd server = Bound(), client = Bound();
  EXPECT_EQ(SendTo(client, "question", Ipv4(PortOf(server))), 8);
  char buffer[100];
  sockaddr_in from = {};
  socklen_t size = sizeof(from);
  EXPECT_EQ(recvfrom(server, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from), &size),
            8);
  EXPECT_EQ(size, sizeof(from));
  EXPECT_EQ(from.sin_family, AF_INET);
  EXPECT_EQ(ntohs(from.sin_port), PortOf(client));
  EXPECT_EQ(SendTo(server, "answer", from), 6);
  EXPECT_EQ(Receive(client, 100), "answer");
}

TEST(Udp, SizesAreKept) {
  const Fd server = Bound(), client = Bound();
  ASSERT_EQ(Connect(client, Ipv4(PortOf(server))), 0);
  EXPECT_EQ(send(client, "abcdef", 6, 0), 6);
  EXPECT_EQ(send(client, "", 0, 0), 0);
  EXPECT_EQ(write(client, "", 0), 0);
  EXPECT_EQ(send(client, "last", 4, 0), 4);
  EXPECT_EQ(Receive(server, 3, MSG_PEEK), "abc");
  char part[3];
  iovec piece = {.iov_base = part, .iov_len = sizeof(part)};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  EXPECT_EQ(recvmsg(server, &message, MSG_PEEK | MSG_TRUNC), 6);
  EXPECT_EQ(message.msg_flags, MSG_TRUNC);
  EXPECT_EQ(recvmsg(server, &message, 0), 3);
  EXPECT_EQ(message.msg_flags, MSG_TRUNC);
  char byte;
  EXPECT_EQ(recv(server, &byte, 1, 0), 0);
  EXPECT_EQ(PollFor(server, POLLIN, 10'000), POLLIN);
  EXPECT_EQ(recv(server, &byte, 1, 0), 0);
  EXPECT_EQ(Receive(server, 100), "last");
  EXPECT_EQ(PollFor(server, POLLIN, 0), 0);
  EXPECT_EQ(recv(server, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(Udp, LargestDatagram) {
  const Fd server = Bound(), client = Bound();
  std::string data(65507, 'x');
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<char>(i * 7);
  }
  const int room = 1 << 20;
  setsockopt(server, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  EXPECT_EQ(SendTo(client, data, Ipv4(PortOf(server))), 65507);
  EXPECT_EQ(Receive(server, 70000), data);
  data.resize(65508);
  EXPECT_EQ(SendTo(client, data, Ipv4(PortOf(server))), -1);
  EXPECT_EQ(errno, EMSGSIZE);
  data.resize(100'000);
  EXPECT_EQ(SendTo(client, data, Ipv4(PortOf(server))), -1);
  EXPECT_EQ(errno, EMSGSIZE);
}

TEST(Udp, Connections) {
  const Fd server = Bound(), client = Bound(), stranger = Bound();
  EXPECT_EQ(send(client, "x", 1, 0), -1);
  EXPECT_EQ(errno, EDESTADDRREQ);
  ASSERT_EQ(Connect(client, Ipv4(PortOf(server))), 0);
  // What others send does not come any more.
  EXPECT_EQ(SendTo(stranger, "no", Ipv4(PortOf(client))), 2);
  EXPECT_EQ(SendTo(server, "yes", Ipv4(PortOf(client))), 3);
  EXPECT_EQ(Receive(client, 100), "yes");
  sockaddr_in nobody = {};
  nobody.sin_family = AF_UNSPEC;
  ASSERT_EQ(Connect(client, nobody), 0);
  EXPECT_EQ(send(client, "x", 1, 0), -1);
  EXPECT_EQ(errno, EDESTADDRREQ);
  EXPECT_EQ(listen(client, 1), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(accept(client, nullptr, nullptr), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST(Udp, NobodyListens) {
  uint16_t port;
  {
    const Fd gone = Bound();
    port = PortOf(gone);
  }
  const Fd client = Bound();
  ASSERT_EQ(Connect(client, Ipv4(port)), 0);
  ASSERT_EQ(send(client, "x", 1, 0), 1);
  EXPECT_EQ(PollFor(client, POLLIN, 10'000) & POLLERR, POLLERR);
  char byte;
  EXPECT_EQ(recv(client, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(PollFor(client, POLLIN, 0), 0);
}

TEST(Udp, ManyAtOnce) {
  constexpr unsigned kCount = 5;
  const Fd server = Bound(), client = Bound();
  ASSERT_EQ(Connect(client, Ipv4(PortOf(server))), 0);
  std::array<mmsghdr, kCount> out = {};
  std::array<iovec, kCount> pieces;
  std::array<std::string, kCount> text = {"a", "bb", "ccc", "dddd", "eeeee"};
  for (unsigned i = 0; i < kCount; ++i) {
    pieces[i] = {.iov_base = text[i].data(), .iov_len = text[i].size()};
    out[i].msg_hdr.msg_iov = &pieces[i];
    out[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_EQ(sendmmsg(client, out.data(), kCount, 0), static_cast<int>(kCount));
  EXPECT_EQ(out[2].msg_len, 3u);
  std::array<mmsghdr, 8> in = {};
  std::array<std::array<char, 16>, 8> buffers = {};
  std::array<iovec, 8> rooms;
  std::array<sockaddr_in, 8> from = {};
  for (unsigned i = 0; i < 8; ++i) {
    rooms[i] = {.iov_base = buffers[i].data(), .iov_len = buffers[i].size()};
    in[i].msg_hdr.msg_iov = &rooms[i];
    in[i].msg_hdr.msg_iovlen = 1;
    in[i].msg_hdr.msg_name = &from[i];
    in[i].msg_hdr.msg_namelen = sizeof(from[i]);
  }
  EXPECT_EQ(recvmmsg(server, in.data(), 8, MSG_WAITFORONE, nullptr), static_cast<int>(kCount));
  EXPECT_EQ(in[4].msg_len, 5u);
  EXPECT_STREQ(buffers[4].data(), "eeeee");
  EXPECT_EQ(ntohs(from[3].sin_port), PortOf(client));
  EXPECT_EQ(recvmmsg(server, in.data(), 8, MSG_DONTWAIT, nullptr), -1);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace loopback
