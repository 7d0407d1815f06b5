// SPDX-License-Identifier: Apache-2.0
// What is known of readiness, against a host in this process whose news can be late, early, old or
// wrong.
#include "libos/net/internet_socket.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "libos/net/syscalls.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/fake_sockets.h"
#include "libos/vfs/testing/fake_threads.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/program.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos {
namespace {

struct FakeSocket {
  std::string data;
  bool has_ended = false;
  size_t room = SIZE_MAX;
  std::string sent;
  size_t connections = 0;
};

struct FakeHost {
  std::recursive_mutex mutex;
  std::map<uint32_t, FakeSocket> sockets;
  // Called in the middle of a receive, once.
  std::function<void()> on_receive;
  Errno connect_error = Errno::kEINPROGRESS;
  size_t calls = 0;
  size_t polls = 0;
};

FakeHost& Host() {
  static FakeHost* host = new FakeHost;
  return *host;
}

}  // namespace

namespace host {

Result<void, Errno> SocketCreate(uint32_t socket, bool, bool) {
  std::lock_guard guard(Host().mutex);
  EXPECT_FALSE(Host().sockets.contains(socket)) << "a number is used twice";
  Host().sockets[socket];
  return {};
}

void SocketClose(uint32_t socket, bool) {
  std::lock_guard guard(Host().mutex);
  EXPECT_EQ(Host().sockets.erase(socket), 1u);
}

Result<void, Errno> SocketBind(uint32_t, const SocketName&) { return {}; }

Result<void, Errno> SocketConnect(uint32_t, const SocketName&) {
  std::lock_guard guard(Host().mutex);
  if (Host().connect_error != Errno{}) {
    return Error(Host().connect_error);
  }
  return {};
}

Result<void, Errno> SocketListen(uint32_t, uint32_t) { return {}; }

Result<Connection, Errno> SocketAccept(uint32_t socket, uint32_t accepted, bool) {
  std::lock_guard guard(Host().mutex);
  ++Host().calls;
  FakeSocket& listener = Host().sockets[socket];
  if (listener.connections == 0) {
    return Error(Errno::kEAGAIN);
  }
  --listener.connections;
  EXPECT_FALSE(Host().sockets.contains(accepted)) << "a number is used twice";
  Host().sockets[accepted];
  return Connection{
      .peer = {.size = 16, .bytes = {}}, .more = listener.connections != 0, .events = kPOLLOUT};
}

Result<size_t, Errno> SocketSend(uint32_t socket, std::span<const std::byte> data, bool) {
  std::lock_guard guard(Host().mutex);
  ++Host().calls;
  FakeSocket& to = Host().sockets[socket];
  if (to.room == 0) {
    return Error(Errno::kEAGAIN);
  }
  const size_t size = std::min(to.room, data.size());
  to.sent.append(reinterpret_cast<const char*>(data.data()), size);
  to.room -= to.room == SIZE_MAX ? 0 : size;
  return size;
}

Result<size_t, Errno> SocketSendTo(uint32_t, std::span<const std::byte> data, const SocketName&) {
  return data.size();
}

Result<size_t, Errno> SocketReceive(uint32_t socket, std::span<std::byte> out, bool peek) {
  std::lock_guard guard(Host().mutex);
  ++Host().calls;
  FakeSocket& from = Host().sockets[socket];
  const size_t size = std::min(out.size(), from.data.size());
  std::memcpy(out.data(), from.data.data(), size);
  const bool is_empty = size == 0 && !from.has_ended;
  if (!peek) {
    from.data.erase(0, size);
  }
  if (const auto hook = std::exchange(Host().on_receive, nullptr); hook) {
    hook();
  }
  if (is_empty) {
    return Error(Errno::kEAGAIN);
  }
  return size;
}

Result<Datagram, Errno> SocketReceiveFrom(uint32_t, std::span<std::byte>, bool, bool) {
  return Error(Errno::kEAGAIN);
}
Result<void, Errno> SocketShutdown(uint32_t, uint32_t) { return {}; }
Result<SocketName, Errno> SocketGetName(uint32_t, SocketSide, bool) {
  return SocketName{.size = 16, .bytes = {}};
}
Result<void, Errno> SocketSetOption(uint32_t, SocketOption, uint64_t) { return {}; }
Result<uint64_t, Errno> SocketGetOption(uint32_t, SocketOption) { return uint64_t{111}; }
Result<void, Errno> SocketJoin(uint32_t, const MulticastGroup&, bool) { return {}; }

Result<uint32_t, Errno> SocketPoll(uint32_t socket) {
  std::lock_guard guard(Host().mutex);
  ++Host().polls;
  const FakeSocket& asked = Host().sockets[socket];
  return (asked.data.empty() && !asked.has_ended && asked.connections == 0 ? 0 : kPOLLIN) |
         (asked.room != 0 ? kPOLLOUT : 0);
}

}  // namespace host

namespace testing {
namespace {

class InternetSocketTest : public FilesTest {
 protected:
  void SetUp() override {
    FilesTest::SetUp();
    Host().connect_error = Errno{};
    Host().on_receive = nullptr;
    fd_ = Connected();
    Host().calls = Host().polls = 0;
  }
  void TearDown() override {
    for (uint32_t fd = 0; fd < 20; ++fd) {
      static_cast<void>(SysClose(static_cast<int32_t>(fd)).ok());
    }
    EXPECT_TRUE(Host().sockets.empty());
    EXPECT_EQ(socket_waiter_count(), 0u);
    ClearHostSockets();
    FreeSparePages();
    FilesTest::TearDown();
  }

  static int Made() { return static_cast<int>(ResultOf(SysSocket(kAF_INET, kSOCK_STREAM, 0))); }
  static int64_t Connect(int fd) {
    LinuxSockaddrIn& address = NewUser<LinuxSockaddrIn>();
    address.sin_family = kAF_INET;
    return ResultOf(SysConnect(fd, UserIn<std::byte>(AddressOf(address)), sizeof(address)));
  }
  static int Connected() {
    const int fd = Made();
    EXPECT_EQ(Connect(fd), 0);
    return fd;
  }

  static Bytes Receive(int fd, size_t size, uint32_t flags = kMSG_DONTWAIT) {
    const auto memory = AllocateUser(size);
    const int64_t result = ResultOf(SysRecvfrom(fd, UserOut<std::byte>(AddressOf(memory)), size,
                                                flags, UserOut<std::byte>(0), UserOut<int32_t>(0)));
    return {.result = result,
            .data = result > 0 ? TextOf(memory, static_cast<size_t>(result)) : ""};
  }
  static int64_t Send(int fd, std::string_view data, uint32_t flags = 0) {
    return ResultOf(SysSendto(fd, UserIn<std::byte>(UserString(data)), data.size(), flags,
                              UserIn<std::byte>(0), 0));
  }
  static int64_t PollNow(int fd, uint32_t events) {
    LinuxPollfd& entry =
        NewUser<LinuxPollfd>({.fd = fd, .events = static_cast<int16_t>(events), .revents = 0});
    const int64_t result = ResultOf(SysPoll(UserOut<LinuxPollfd>(AddressOf(entry)), 1, 0));
    return result <= 0 ? result : static_cast<uint16_t>(entry.revents);
  }

  // The first socket of a test has the lowest number.
  static void Provide(std::string_view data, uint32_t socket = 0) {
    std::lock_guard guard(Host().mutex);
    Host().sockets[socket].data.append(data);
  }
  static void Tell(uint32_t events, uint32_t socket = 0) {
    TellSocketEvents(socket, events, BeginSocketWait());
  }

  int fd_ = -1;
};

TEST_F(InternetSocketTest, AReaderSleepsUntilTheHostTells) {
  Bytes got;
  FakeThread reader([&] { got = Receive(fd_, 100, 0); });
  reader.WaitUntilAsleep();
  EXPECT_EQ(socket_waiter_count(), 1u);
  EXPECT_EQ(Host().calls, 0u) << "it is known that nothing is there";
  Provide("hello");
  Tell(kPOLLIN | kPOLLOUT);
  reader.Join();
  EXPECT_EQ(got, Got("hello"));
  EXPECT_EQ(Host().calls, 1u);
}

TEST_F(InternetSocketTest, NewsWithoutDataPutNobodyWrong) {
  Bytes got;
  FakeThread reader([&] { got = Receive(fd_, 100, 0); });
  reader.WaitUntilAsleep();
  for (int i = 0; i < 3; ++i) {
    Tell(kPOLLIN | kPOLLHUP | kPOLLERR | kPOLLRDHUP);
    while (Host().calls <= static_cast<size_t>(i)) {
    }
    reader.WaitUntilAsleep();
  }
  Provide("real");
  Tell(kPOLLIN);
  reader.Join();
  EXPECT_EQ(got, Got("real"));
}

TEST_F(InternetSocketTest, NewsInTheMiddleOfAReceiveAreNotLost) {
  // The host finds nothing; then data come and are told; then the answer "nothing" arrives.
  Host().on_receive = [] {
    Provide("late");
    Tell(kPOLLIN);
  };
  Tell(kPOLLIN);  // so that the reader asks
  Bytes got;
  FakeThread reader([&] { got = Receive(fd_, 100, 0); });
  reader.Join();
  EXPECT_EQ(got, Got("late"));
}

TEST_F(InternetSocketTest, OldNewsAreCheckedBeforeTheyAreTold) {
  Provide("abc");
  const uint64_t wait = BeginSocketWait();
  // The wait call has seen the data; they are received before its answer arrives.
  EXPECT_EQ(Receive(fd_, 100), Got("abc"));
  TellSocketEvents(0, kPOLLIN | kPOLLOUT, wait);
  EXPECT_EQ(PollNow(fd_, kPOLLIN), 0);
  EXPECT_EQ(Host().polls, 1u);
  // Known now.
  EXPECT_EQ(PollNow(fd_, kPOLLIN), 0);
  EXPECT_EQ(Host().polls, 1u);
  Provide("def");
  Tell(kPOLLIN);
  EXPECT_EQ(PollNow(fd_, kPOLLIN), int64_t{kPOLLIN});
  EXPECT_EQ(Host().polls, 1u);
}

TEST_F(InternetSocketTest, ReadingUntilNothingIsLeftAsksOnce) {
  Provide("abc");
  Tell(kPOLLIN);
  EXPECT_EQ(Receive(fd_, 100), Got("abc"));
  EXPECT_EQ(Receive(fd_, 100), Got(Errno::kEAGAIN));
  EXPECT_EQ(Host().calls, 1u);
  // From then on the host is asked.
  Provide("def");
  EXPECT_EQ(Receive(fd_, 100), Got("def"));
  EXPECT_EQ(Send(fd_, "x"), 1);
  EXPECT_EQ(Host().calls, 3u);
  // What was sent may have caused an answer already.
  Provide("ghi");
  EXPECT_EQ(Receive(fd_, 100), Got("ghi"));
}

TEST_F(InternetSocketTest, TheEndIsNotForgotten) {
  Provide("abc");
  Host().sockets[0].has_ended = true;
  Tell(kPOLLIN | kPOLLRDHUP);
  EXPECT_EQ(Receive(fd_, 100, 0), Got("abc"));
  // The host does not tell again.
  EXPECT_EQ(Receive(fd_, 100, 0), Got(""));
  EXPECT_EQ(Receive(fd_, 100, 0), Got(""));
  EXPECT_EQ(PollNow(fd_, kPOLLIN | kPOLLRDHUP) & kPOLLIN, int64_t{kPOLLIN});
}

TEST_F(InternetSocketTest, AWriterSleepsUntilThereIsRoom) {
  Host().sockets[0].room = 3;
  int64_t sent = 0;
  FakeThread writer([&] { sent = Send(fd_, "abcdefgh"); });
  writer.WaitUntilAsleep();
  EXPECT_EQ(PollNow(fd_, kPOLLOUT), 0);
  {
    std::lock_guard guard(Host().mutex);
    Host().sockets[0].room = SIZE_MAX;
  }
  Tell(kPOLLOUT);
  writer.Join();
  EXPECT_EQ(sent, 8);
  EXPECT_EQ(Host().sockets[0].sent, "abcdefgh");
  Host().sockets[0].room = 0;
  EXPECT_EQ(Send(fd_, "x", kMSG_DONTWAIT), Fails(Errno::kEAGAIN));
  Host().sockets[0].room = 2;
  EXPECT_EQ(Send(fd_, "xyz", kMSG_DONTWAIT), 2);
}

TEST_F(InternetSocketTest, AConnectThatTakesTime) {
  Host().connect_error = Errno::kEINPROGRESS;
  const int fd = Made();
  int64_t result = -1;
  FakeThread connecting([&] { result = Connect(fd); });
  connecting.WaitUntilAsleep();
  // News of the socket before it was connected.
  TellSocketEvents(1, kPOLLOUT | kPOLLHUP, 0);
  connecting.WaitUntilAsleep();
  {
    std::lock_guard guard(Host().mutex);
    Host().connect_error = Errno{};
  }
  Tell(kPOLLOUT, 1);
  connecting.Join();
  EXPECT_EQ(result, 0);
}

TEST_F(InternetSocketTest, DataThatComeWithTheConnectionAreNotForgotten) {
  Host().connect_error = Errno::kEINPROGRESS;
  const int fd = Made();
  int64_t result = -1;
  FakeThread connecting([&] { result = Connect(fd); });
  connecting.WaitUntilAsleep();
  {
    std::lock_guard guard(Host().mutex);
    Host().connect_error = Errno{};
    Host().sockets[1].data = "hello";
  }
  // Once, of both.
  Tell(kPOLLIN | kPOLLOUT, 1);
  connecting.Join();
  ASSERT_EQ(result, 0);
  Bytes got;
  std::atomic<bool> is_over = false;
  FakeThread reader([&] {
    got = Receive(fd, 100, 0);
    is_over = true;
  });
  for (int i = 0; i < 200 && !is_over; ++i) {
    usleep(10'000);
  }
  reader.Interrupt();  // should it sleep for ever
  reader.Join();
  EXPECT_EQ(got, Got("hello"));
}

TEST_F(InternetSocketTest, ConnectionsAreAcceptedByNumbersOfOurs) {
  const int listener = Made();
  EXPECT_EQ(ResultOf(SysListen(listener, 1)), 0);
  const auto accept = [&] {
    return static_cast<int>(
        ResultOf(SysAccept4(listener, UserOut<std::byte>(0), UserOut<int32_t>(0), 0)));
  };
  int accepted[3] = {-1, -1, -1};
  FakeThread waiting([&] { accepted[0] = accept(); });
  waiting.WaitUntilAsleep();
  {
    std::lock_guard guard(Host().mutex);
    Host().sockets[1].connections = 3;
  }
  Tell(kPOLLIN, 1);
  waiting.Join();
  // The host told once, of all.
  EXPECT_EQ(PollNow(listener, kPOLLIN), int64_t{kPOLLIN});
  accepted[1] = accept();
  accepted[2] = accept();
  EXPECT_EQ(PollNow(listener, kPOLLIN), 0);
  for (const int fd : accepted) {
    EXPECT_GE(fd, 0);
    EXPECT_EQ(PollNow(fd, kPOLLOUT), int64_t{kPOLLOUT});
  }
  // News of numbers that are free or cannot be concern nobody.
  Close(accepted[1]);
  Tell(kPOLLIN, 3);
  Tell(kPOLLIN, 65535);
  EXPECT_EQ(PollNow(accepted[2], kPOLLIN), 0);
}

}  // namespace
}  // namespace testing
}  // namespace nsgx::libos
