// SPDX-License-Identifier: Apache-2.0
// The untrusted side of the host calls: no lost wake-ups, streams that never wait, requests that
// are checked.

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "enclave-loader/host/fake_device.h"
#include "enclave-loader/host/name_servers.h"
#include "enclave-loader/host/parking.h"
#include "enclave-loader/host/server.h"
#include "enclave-loader/host/sockets.h"
#include "enclave-loader/host/streams.h"

namespace nsgx::loader {
namespace {

using shim::HostCall;

// ---- parking -----------------------------------------------------------------------------------

TEST(Parking, WakeBeforeSleepIsRemembered) {
  ParkingPlace place;
  place.Wake();
  place.Wake();
  place.Sleep(kNoTimeout);
  place.Wake();
  place.SleepOrReady({}, kNoTimeout);
}

TEST(Parking, TimeoutEnds) {
  ParkingPlace place;
  place.Sleep(1'000'000);
  place.SleepOrReady({}, 1'000'000);
}

TEST(Parking, ReadyStreamEndsTheSleep) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ParkingPlace place;
  std::array<pollfd, 1> fds = {{{.fd = ends[0], .events = POLLIN, .revents = 0}}};
  place.SleepOrReady(fds, 0);
  EXPECT_EQ(fds[0].revents, 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  place.SleepOrReady(fds, kNoTimeout);
  EXPECT_EQ(fds[0].revents, POLLIN);
  close(ends[0]);
  close(ends[1]);
}

// Sleeps among the sockets, as a slot does that waits for nothing else; the other way if somebody
// else does.
void SleepAmong(Sockets& sockets, ParkingPlace& place) {
  std::array<shim::WaitRecord, 4> records;
  const int waker = sockets.BeginSleep();
  if (waker < 0) {
    place.SleepOrReady({}, kNoTimeout);
    return;
  }
  place.SleepBy(waker, kNoTimeout, [&](uint64_t nanoseconds) {
    EXPECT_EQ(sockets.TakeEvents(records, nanoseconds), 0u);
  });
  sockets.EndSleep();
}

// Each side sleeps for ever unless the other one's wake-up arrives, by a random one of the three
// ways to sleep.
TEST(Parking, NoWakeUpIsLost) {
  constexpr int kRounds = 20'000;
  ParkingPlace places[2];
  Sockets sockets;
  std::atomic<int> turn = 0;
  const auto play = [&](int me) {
    uint32_t random = static_cast<uint32_t>(me) + 1;
    for (int round = me; round < kRounds; round += 2) {
      while (turn.load() != round) {
        random = random * 1664525 + 1013904223;
        switch ((random >> 16) % 3) {
          case 0:
            places[me].Sleep(kNoTimeout);
            break;
          case 1:
            places[me].SleepOrReady({}, kNoTimeout);
            break;
          default:
            SleepAmong(sockets, places[me]);
        }
      }
      turn.store(round + 1);
      places[1 - me].Wake();
      // Whoever looks for events may come across the wake-up, and must not keep it.
      std::array<shim::WaitRecord, 4> records;
      EXPECT_EQ(sockets.TakeEvents(records, 0), 0u);
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT_EQ(turn, kRounds);
}

// ---- server ------------------------------------------------------------------------------------

class HostServerTest : public testing::Test, public HostServerOwner {
 protected:
  bool StartVcpu(uint32_t slot) override {
    started.push_back(slot);
    return slot != 0;
  }
  void Log(uint32_t level, std::string_view line) override {
    log += std::to_string(level) + ":" + std::string(line);
  }

  int64_t Ask(HostCall call, std::array<uint64_t, 4> arguments) {
    return server.Answer(0, {ExitReason::kHostCall, static_cast<uint64_t>(call), arguments});
  }

  FakeDevice device;
  HostFiles files;
  HostServer server{device, *this, files, 2};
  std::vector<uint32_t> started;
  std::string log;
};

TEST_F(HostServerTest, UnknownCallsAndWildArgumentsAreRefused) {
  EXPECT_EQ(server.Answer(0, {ExitReason::kHostCall, 99, {}}), -EINVAL);
  EXPECT_EQ(server.Answer(0, {ExitReason::kHostCall, ~uint64_t{0}, {}}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kStreamWrite, {3, 1, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kStreamWrite, {1, 8193, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kStreamRead, {0, ~uint64_t{0}, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kWait, {33, 0, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kLog, {0, 1025, 0, 0}), -EINVAL);
  EXPECT_EQ(server.counts().back(), 2u);
}

TEST_F(HostServerTest, StartsOnlySlotsThatExist) {
  EXPECT_EQ(Ask(HostCall::kStartVcpu, {1, 0, 0, 0}), 0);
  EXPECT_EQ(Ask(HostCall::kStartVcpu, {2, 0, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kStartVcpu, {0, 0, 0, 0}), -EAGAIN);
  EXPECT_EQ(started, (std::vector<uint32_t>{1, 0}));
}

TEST_F(HostServerTest, ClockTickAndLog) {
  EXPECT_GT(Ask(HostCall::kWallClock, {}), 1'700'000'000'000'000'000);
  EXPECT_EQ(Ask(HostCall::kSetTick, {4000, 0, 0, 0}), 0);
  EXPECT_EQ(device.tick, 4000u);
  std::memcpy(device.window(0).data(), "hello", 5);
  EXPECT_EQ(Ask(HostCall::kLog, {1, 5, 0, 0}), 0);
  EXPECT_EQ(log, "1:hello");
}

TEST_F(HostServerTest, CertificatesComeInParts) {
  device.chain.assign(5000, std::byte{7});
  EXPECT_EQ(Ask(HostCall::kCertificateChain, {0, 4096, 0, 0}), 4096);
  EXPECT_EQ(Ask(HostCall::kCertificateChain, {4096, 4096, 0, 0}), 904);
  EXPECT_EQ(Ask(HostCall::kCertificateChain, {5000, 4096, 0, 0}), 0);
  EXPECT_EQ(Ask(HostCall::kCertificateChain, {0x7ffff000, 1, 0, 0}), 0);
}

TEST_F(HostServerTest, WaitHonoursDeadlinesAndWakeUps) {
  EXPECT_EQ(Ask(HostCall::kWait, {0, 0, 0, 0}), 0);  // long over
  server.Wake(0);
  server.Idle(0, ~uint64_t{0});
  server.Wake(77);  // no such slot: nothing happens
  const shim::WaitRecord unknown = {.source = 9, .events = POLLIN};
  std::memcpy(device.window(0).data(), &unknown, sizeof unknown);
  EXPECT_EQ(Ask(HostCall::kWait, {1, 1, device.now, 0}), 0);
}

TEST_F(HostServerTest, SocketsAreKnownByTheEnclavesNumbers) {
  std::byte* const window = device.window(0).data();
  const auto put = [&](const auto& object) { std::memcpy(window, &object, sizeof object); };
  EXPECT_EQ(Ask(HostCall::kSocketListen, {5, 1, 0, 0}), -EBADF);
  ASSERT_EQ(Ask(HostCall::kSocketCreate, {5, 0, 0, 0}), 0);
  EXPECT_EQ(Ask(HostCall::kSocketCreate, {5, 0, 0, 0}), -EBUSY);
  EXPECT_EQ(Ask(HostCall::kSocketCreate, {65536, 0, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kSocketCreate, {6, 4, 0, 0}), -EINVAL);

  // Nothing but addresses of the Internet reaches the system.
  sockaddr_in address = {};
  address.sin_family = AF_UNIX;
  put(address);
  EXPECT_EQ(Ask(HostCall::kSocketBind, {5, sizeof address, 0, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kSocketConnect, {5, sizeof address, 0, 0}), -EINVAL);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  put(address);
  EXPECT_EQ(Ask(HostCall::kSocketBind, {5, 15, 0, 0}), -EINVAL);
  ASSERT_EQ(Ask(HostCall::kSocketBind, {5, sizeof address, 0, 0}), 0);
  ASSERT_EQ(Ask(HostCall::kSocketListen, {5, 4, 0, 0}), 0);
  ASSERT_EQ(Ask(HostCall::kSocketName, {5, 0, 28, 0}), static_cast<int64_t>(sizeof address));

  EXPECT_EQ(Ask(HostCall::kSocketAccept, {5, 7, 36, 0}), -EAGAIN);
  EXPECT_EQ(Ask(HostCall::kSocketAccept, {5, 7, 35, 0}), -EINVAL);
  EXPECT_EQ(Ask(HostCall::kSocketAccept, {5, 5, 36, 0}), -EBUSY);
  EXPECT_EQ(Ask(HostCall::kSocketAccept, {8, 7, 36, 0}), -EBADF);
  ASSERT_EQ(Ask(HostCall::kSocketName, {5, 0, 28, 0}), static_cast<int64_t>(sizeof address));
  ASSERT_EQ(Ask(HostCall::kSocketCreate, {6, 0, 0, 0}), 0);
  // The name of the listener is in the window.
  ASSERT_EQ(Ask(HostCall::kSocketName, {5, 0, 28, 0}), static_cast<int64_t>(sizeof address));
  ASSERT_EQ(Ask(HostCall::kSocketConnect, {6, sizeof address, 0, 0}), -EINPROGRESS);
  bool is_told = false;
  for (int i = 0; i < 100 && !is_told; ++i) {
    device.now = 1000;
    const int64_t count = Ask(HostCall::kWait, {0, 16, 2'000'000'000, 0});
    std::array<shim::WaitRecord, 16> records;
    std::memcpy(records.data(), window, sizeof records);
    for (int64_t j = 0; j < count; ++j) {
      is_told = is_told || (records[static_cast<size_t>(j)].source == shim::kSocketSource + 5 &&
                            (records[static_cast<size_t>(j)].events & POLLIN) != 0);
    }
  }
  EXPECT_TRUE(is_told);
  ASSERT_EQ(Ask(HostCall::kSocketAccept, {5, 7, 36, 0}), 24);
  std::memcpy(window, "hello", 5);
  ASSERT_EQ(Ask(HostCall::kSocketSend, {6, 0, 5, 0}), 5);
  ASSERT_EQ(Ask(HostCall::kSocketReceive, {7, 0, 100, 0}), 5);
  EXPECT_EQ(Ask(HostCall::kSocketReceive, {7, 0, 100, 0}), -EAGAIN);
  EXPECT_EQ(Ask(HostCall::kSocketPoll, {7, 0, 0, 0}), POLLOUT);
  EXPECT_EQ(Ask(HostCall::kSocketClose, {7, 0, 0, 0}), 0);
  EXPECT_EQ(Ask(HostCall::kSocketClose, {7, 0, 0, 0}), -EBADF);
  EXPECT_EQ(Ask(HostCall::kSocketReceive, {6, 0, 100, 0}), 0);
  EXPECT_EQ(Ask(HostCall::kSocketSetOption, {6, 0, 1, 0}), -ENOPROTOOPT) << "SO_ERROR is read only";
  EXPECT_EQ(Ask(HostCall::kSocketSetOption, {6, 30, 1, 0}), -EINVAL) << "no such option";
}

// A number that is closed on one thread while others use it never becomes somebody else's socket in
// the middle of a call.
TEST(SocketsTest, ClosingAndUsingAtOnce) {
  Sockets sockets;
  std::atomic<bool> is_over = false;
  std::thread user([&] {
    std::array<std::byte, 16> out;
    while (!is_over) {
      const int64_t result = sockets.Receive(1, false, out);
      EXPECT_TRUE(result == -EBADF || result == -ENOTCONN) << result;
    }
  });
  for (int i = 0; i < 2000; ++i) {
    int64_t made;
    while ((made = sockets.Create(1, 0)) == -EBUSY) {
    }
    ASSERT_EQ(made, 0);
    ASSERT_EQ(sockets.Close(1, false), 0);
  }
  is_over = true;
  user.join();
}

TEST(NameServersTest, OnlyAddressesAreTaken) {
  const auto servers = ParseNameServers(
      "# nameserver 1.1.1.1\nsearch example.org\nnameserver 192.0.2.1\nnameserver 2001:db8::1 \n"
      "nameserver not-an-address\nnameserver\n  nameserver 192.0.2.2 # second\n");
  ASSERT_EQ(servers.size(), 3u);
  EXPECT_EQ(servers[0].family, uint32_t{AF_INET});
  EXPECT_EQ(servers[0].address[3], 1);
  EXPECT_EQ(servers[1].family, uint32_t{AF_INET6});
  EXPECT_EQ(servers[2].address[3], 2);
}

// ---- streams, with descriptors 0 and 1 exchanged for pipes -------------------------------------

class ExchangedStream {
 public:
  ExchangedStream(int stream, int fd) : stream_(stream), saved_(dup(stream)) {
    signal(SIGPIPE, SIG_IGN);  // as nsgx-run does
    dup2(fd, stream);
  }
  ~ExchangedStream() {
    dup2(saved_, stream_);
    close(saved_);
  }
  ExchangedStream(const ExchangedStream&) = delete;
  ExchangedStream& operator=(const ExchangedStream&) = delete;

 private:
  int stream_;
  int saved_;
};

TEST(StreamsTest, EmptyPipeIsEagainAndClosedPipeIsTheEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const ExchangedStream exchanged(0, ends[0]);
  close(ends[0]);
  const Streams streams;
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(streams.Read(0, buffer), -EAGAIN);
  ASSERT_EQ(write(ends[1], "abc", 3), 3);
  EXPECT_EQ(streams.Read(0, buffer), 3);
  EXPECT_EQ(streams.Read(0, buffer), -EAGAIN);
  close(ends[1]);
  EXPECT_EQ(streams.Read(0, buffer), 0);
}

TEST(StreamsTest, FullPipeIsEagainAndWritesAreShort) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const ExchangedStream exchanged(
      0, ends[1]);  // stream 0, so that the test's own output is left alone
  close(ends[1]);
  const Streams streams;
  const std::vector<std::byte> data(1 << 20);
  int64_t total = 0, count;
  while ((count = streams.Write(0, data)) > 0) {
    EXPECT_LT(count, 1 << 20);
    total += count;
  }
  EXPECT_EQ(count, -EAGAIN);
  EXPECT_GE(total, 4096);
  EXPECT_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0) << "others may have the same pipe";
  close(ends[0]);
  EXPECT_EQ(streams.Write(0, data), -EPIPE);
}

TEST(StreamsTest, SocketsWorkLikePipes) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const ExchangedStream exchanged(0, ends[0]);
  close(ends[0]);
  const Streams streams;
  std::array<std::byte, 16> buffer = {};
  EXPECT_EQ(streams.Read(0, buffer), -EAGAIN);
  EXPECT_EQ(streams.Write(0, buffer), 16);
  ASSERT_EQ(write(ends[1], "abc", 3), 3);
  EXPECT_EQ(streams.Read(0, buffer), 3);
  close(ends[1]);
  EXPECT_EQ(streams.Write(0, buffer), -EPIPE);
}

// Terminals do not know RWF_NOWAIT, so this is the way by poll().
TEST(StreamsTest, TerminalsNeverWait) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
    GTEST_SKIP() << "no pseudo-terminals here";
  }
  const winsize size = {.ws_row = 25, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  const ExchangedStream exchanged(0, terminal);
  close(terminal);
  const Streams streams;
  std::array<std::byte, 16> buffer = {};
  EXPECT_EQ(streams.Read(0, buffer), -EAGAIN);
  EXPECT_EQ(streams.Write(0, buffer), 16);
  ASSERT_EQ(write(master, "abc\n", 4), 4);
  EXPECT_EQ(streams.Read(0, buffer), 4);
  EXPECT_TRUE(streams.Query(0).is_terminal);
  EXPECT_EQ(streams.Query(0).rows, 25);
  EXPECT_EQ(streams.Query(0).columns, 132);
  close(master);
}

TEST(StreamsTest, ClosedStreamsStayClosedForTheProgram) {
  const int saved = dup(0);
  close(0);
  OccupyClosedStreams();
  const int next = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_GT(next, STDERR_FILENO);
  const Streams streams;
  std::array<std::byte, 16> buffer = {};
  EXPECT_EQ(streams.Read(0, buffer), -EBADF);
  EXPECT_EQ(streams.Write(0, buffer), -EBADF);
  EXPECT_FALSE(streams.Query(0).is_terminal);
  close(next);
  dup2(saved, 0);
  close(saved);
}

TEST(StreamsTest, FilesAndNullNeverWait) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  ASSERT_GE(null, 0);
  const ExchangedStream exchanged(0, null);
  close(null);
  const Streams streams;
  std::vector<std::byte> data(1 << 20);
  EXPECT_EQ(streams.Write(0, data), 1 << 20);
  EXPECT_EQ(streams.Read(0, data), 0);
  EXPECT_FALSE(streams.Query(0).is_terminal);
}

}  // namespace
}  // namespace nsgx::loader
