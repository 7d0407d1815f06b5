// SPDX-License-Identifier: Apache-2.0
// The enclave's side against a host that answers whatever a test wants.
#include <errno.h>
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"
#include "libos/host/host.h"
#include "syscall-shim/hostcall/fake_gate.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::libos::host {
namespace {

using shim::HostCall;

std::span<std::byte> BytesIn(std::span<char> text) { return std::as_writable_bytes(text); }

TEST(ClientTest, PassesNumberAndArgumentsInOrder) {
  FakeHost host;
  std::array<std::byte, 100> out;
  EXPECT_EQ(StreamRead(Stream::kErr, out).value(), 0u);
  ASSERT_EQ(host.calls().size(), 1u);
  EXPECT_EQ(host.calls()[0].call, uint64_t{NSGX_GATE_HOST_CALL});
  EXPECT_EQ(host.calls()[0].a, (std::array<uint64_t, 5>{0, 2, 100, 0, 0}));
}

TEST(ClientTest, ReadsWhatTheHostPutIntoTheWindow) {
  FakeHost host;
  host.set_answer([](const GateCall& call, std::span<std::byte> window) {
    std::memcpy(window.data(), "hello, world", 12);
    return static_cast<int64_t>(std::min<uint64_t>(call.a[2], 5));
  });
  std::array<char, 12> out = {};
  EXPECT_EQ(StreamRead(Stream::kIn, BytesIn(out)).value(), 5u);
  EXPECT_EQ(std::string_view(out.data(), out.size()), std::string_view("hello\0\0\0\0\0\0\0", 12))
      << "no byte beyond the count is taken over";
}

TEST(ClientTest, WritesThroughTheWindow) {
  FakeHost host;
  std::string seen;
  host.set_answer([&](const GateCall& call, std::span<std::byte> window) {
    seen.assign(reinterpret_cast<const char*>(window.data()), call.a[2]);
    return static_cast<int64_t>(3);
  });
  EXPECT_EQ(StreamWrite(Stream::kOut, BytesOf("goodbye")).value(), 3u);
  EXPECT_EQ(seen, "goodbye");
}

TEST(ClientTest, TransfersAreCutAtTheWindow) {
  FakeHost host(8);
  host.set_answer(
      [](const GateCall& call, std::span<std::byte>) { return static_cast<int64_t>(call.a[2]); });
  std::array<std::byte, 100> data = {};
  EXPECT_EQ(StreamRead(Stream::kIn, data).value(), 8u);
  EXPECT_EQ(StreamWrite(Stream::kOut, data).value(), 8u);
}

TEST(ClientTest, NothingToTransferIsNoCall) {
  FakeHost host;
  EXPECT_EQ(StreamRead(Stream::kIn, {}).value(), 0u);
  EXPECT_EQ(StreamWrite(Stream::kOut, {}).value(), 0u);
  EXPECT_TRUE(host.calls().empty());
}

TEST(ClientTest, WithoutAWindowNothingIsTransferred) {
  FakeHost host(0);
  std::array<std::byte, 1> data = {};
  EXPECT_EQ(StreamRead(Stream::kIn, data).error(), Errno::kEIO);
  EXPECT_EQ(StreamWrite(Stream::kOut, data).error(), Errno::kEIO);
  EXPECT_EQ(CertificateChain(data).error(), Errno::kEIO);
  const Watch watch = {Stream::kIn, false};
  std::array<Ready, 4> ready;
  EXPECT_EQ(Wait({&watch, 1}, false, ready, 0), 0u);
  Log(LogLevel::kError, std::string_view("lost"));
  EXPECT_TRUE(host.calls().empty());
}

TEST(ClientTest, LegalErrorsArePassedOn) {
  FakeHost host;
  std::array<std::byte, 4> data = {};
  host.AnswerWith(-EAGAIN);
  EXPECT_EQ(StreamRead(Stream::kIn, data).error(), Errno::kEAGAIN);
  EXPECT_EQ(StartVcpu(1).error(), Errno::kEAGAIN);
  host.AnswerWith(-EPIPE);
  EXPECT_EQ(StreamWrite(Stream::kOut, data).error(), Errno::kEPIPE);
  host.AnswerWith(-ENODATA);
  EXPECT_EQ(CertificateChain(data).error(), Errno::kENODATA);
  EXPECT_TRUE(host.log_lines().empty());
}

// Each class of illegal reply, for each call that has a result: EIO and one warning that names the
// call.
TEST(ClientTest, IllegalRepliesAreEioAndAWarning) {
  struct Case {
    std::string_view call;
    std::function<bool()> is_eio;
    std::vector<int64_t> illegal;
  };
  std::array<std::byte, 16> data = {};
  const std::vector<Case> cases = {
      {"stream_read",
       [&] { return StreamRead(Stream::kIn, data).error() == Errno::kEIO; },
       {17, 4096, INT64_MAX, INT64_MIN, -EPIPE, -EINTR, -4096, -512}},
      {"stream_write",
       [&] { return StreamWrite(Stream::kOut, data).error() == Errno::kEIO; },
       {17, INT64_MAX, INT64_MIN, -EINTR, -ENOSYS, -200}},
      {"stream_query",
       [&] { return StreamQuery(Stream::kOut).error() == Errno::kEIO; },
       {2, 0x8000, int64_t{1} << 48, INT64_MAX, INT64_MIN, -EAGAIN}},
      {"start_vcpu",
       [&] { return StartVcpu(1).error() == Errno::kEIO; },
       {1, INT64_MAX, INT64_MIN, -EPERM}},
      {"certificate_chain",
       [&] { return CertificateChain(data).error() == Errno::kEIO; },
       {17, INT64_MAX, INT64_MIN, -EAGAIN}},
  };
  for (const Case& test : cases) {
    for (const int64_t reply : test.illegal) {
      FakeHost host;
      host.AnswerWith(reply);
      EXPECT_TRUE(test.is_eio()) << test.call << " " << reply;
      ASSERT_EQ(host.log_lines().size(), 1u) << test.call << " " << reply;
      EXPECT_NE(host.log_lines()[0].find(test.call), std::string::npos) << host.log_lines()[0];
    }
  }
}

TEST(ClientTest, AnOversizedCountCopiesNothing) {
  FakeHost host;
  host.set_answer([](const GateCall&, std::span<std::byte> window) {
    std::fill(window.begin(), window.end(), std::byte{0xee});
    return int64_t{4096};
  });
  std::array<std::byte, 16> data = {};
  EXPECT_EQ(StreamRead(Stream::kIn, data).error(), Errno::kEIO);
  EXPECT_TRUE(std::all_of(data.begin(), data.end(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(ClientTest, QueryUnpacks) {
  FakeHost host;
  host.AnswerWith(int64_t{132} << 32 | int64_t{43} << 16 | 1);
  const StreamInfo info = StreamQuery(Stream::kOut).value();
  EXPECT_TRUE(info.is_terminal);
  EXPECT_EQ(info.rows, 43);
  EXPECT_EQ(info.columns, 132);
}

// An answer of `reply` and these bytes in the window.
FakeHost::Answer AnswerWithData(int64_t reply, std::span<const std::byte> data) {
  return [reply, copy = std::vector(data.begin(), data.end())](const GateCall&,
                                                               std::span<std::byte> window) {
    std::ranges::copy(copy, window.begin());
    return reply;
  };
}

TEST(ClientTest, WaitSendsRecordsAndReturnsWhatIsReady) {
  FakeHost host;
  std::vector<shim::WaitRecord> seen;
  host.set_answer([&](const GateCall& call, std::span<std::byte> window) {
    seen.resize(call.a[1]);
    std::memcpy(seen.data(), window.data(), seen.size() * sizeof(shim::WaitRecord));
    EXPECT_EQ(call.a[2], 4u);
    EXPECT_EQ(call.a[3], 12345u);
    const std::array<shim::WaitRecord, 2> ready = {shim::WaitRecord{2, 0x4},
                                                   shim::WaitRecord{0x10007, 0x2001}};
    std::memcpy(window.data(), ready.data(), sizeof ready);
    return int64_t{2};
  });
  const std::array<Watch, 2> watch = {Watch{Stream::kIn, false}, Watch{Stream::kErr, true}};
  std::array<Ready, 4> ready = {};
  ASSERT_EQ(Wait(watch, false, ready, 12345), 2u);
  EXPECT_EQ(ready[0].source, 2u);
  EXPECT_EQ(ready[0].events, 4u);
  EXPECT_EQ(ready[1].source, kSocketSource + 7);
  EXPECT_EQ(ready[1].events, 0x2001u);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].source, 0u);
  EXPECT_EQ(seen[0].events, 1u);
  EXPECT_EQ(seen[1].source, 2u);
  EXPECT_EQ(seen[1].events, 4u);
}

TEST(ClientTest, SignalsCountOnlyIfTheyWereAskedFor) {
  constexpr uint32_t kTerminate = 1 << 14, kKill = 1 << 8;
  std::array<Ready, 1> ready;
  for (const bool asked : {true, false}) {
    for (const uint32_t signals : {kTerminate, kKill, kTerminate | kKill}) {
      FakeHost host;
      host.set_answer(AnswerWithData(1, BytesOf(shim::WaitRecord{shim::kSignalSource, signals})));
      const bool is_legal = asked && signals == kTerminate;
      EXPECT_EQ(Wait({}, asked, ready, kNoDeadline), is_legal ? 1u : 0u) << asked << signals;
      EXPECT_EQ(host.log_lines().size(), is_legal ? 0u : 1u);
    }
  }
  EXPECT_EQ(ready[0].source, kSignalSource);
  EXPECT_EQ(ready[0].events, kTerminate);
}

TEST(ClientTest, IllegalReadinessIsSpurious) {
  const Watch watch = {Stream::kIn, false};
  std::array<Ready, 1> ready;
  for (const int64_t reply : {int64_t{2}, int64_t{3}, int64_t{-EINTR}, INT64_MAX, INT64_MIN}) {
    FakeHost host;
    host.AnswerWith(reply);
    EXPECT_EQ(Wait({&watch, 1}, false, ready, kNoDeadline), 0u) << reply;
    EXPECT_EQ(host.log_lines().size(), 1u);
  }
  // A stream that was not asked for, one that does not exist, a socket's number that there cannot
  // be, events that nobody knows.
  for (const shim::WaitRecord record :
       {shim::WaitRecord{1, 1}, shim::WaitRecord{9, 1}, shim::WaitRecord{0x20000, 1},
        shim::WaitRecord{0x10000, 0x20}, shim::WaitRecord{0, 0x80000001}}) {
    FakeHost host;
    host.set_answer(AnswerWithData(1, BytesOf(record)));
    EXPECT_EQ(Wait({&watch, 1}, false, ready, kNoDeadline), 0u)
        << record.source << " " << record.events;
    EXPECT_EQ(host.log_lines().size(), 1u);
  }
}

// ---- sockets

constexpr std::array<uint8_t, 28> kIpv4Address = {2, 0, 0, 80, 192, 0, 2, 1};
constexpr std::array<uint8_t, 28> kIpv6Address = {10, 0, 0, 80, 0, 0, 0, 0, 0x20, 1};

TEST(ClientTest, AddressesHaveTheSizeAndFamilyOfTheirSocket) {
  const struct {
    int64_t size;
    bool is_ipv6;
    std::span<const uint8_t> address;
    bool is_legal;
  } kCases[] = {
      {16, false, kIpv4Address, true},  {28, true, kIpv6Address, true},
      {28, false, kIpv6Address, false}, {16, true, kIpv4Address, false},
      {15, false, kIpv4Address, false}, {28, false, kIpv4Address, false},
      {0, false, kIpv4Address, false},  {16, true, kIpv6Address, false},
  };
  for (const auto& [size, is_ipv6, address, is_legal] : kCases) {
    FakeHost host;
    host.set_answer(AnswerWithData(size, std::as_bytes(address)));
    const auto name = SocketGetName(3, SocketSide::kPeer, is_ipv6);
    EXPECT_EQ(name.ok(), is_legal) << size << " " << is_ipv6;
    EXPECT_EQ(host.log_lines().size(), is_legal ? 0u : 1u);
    if (name.ok()) {
      EXPECT_EQ(name.value().size, size);
    }
  }
  FakeHost host;
  host.AnswerWith(29);
  EXPECT_EQ(SocketGetName(3, SocketSide::kOwn, true).error(), Errno::kEIO);
}

TEST(ClientTest, AConnectionWithAnIllegalRecordIsClosed) {
  struct Reply {
    shim::AcceptRecord record;
    std::array<uint8_t, 28> address;
  };
  const struct {
    Reply reply;
    int64_t size;
    bool is_legal;
  } kCases[] = {
      {{{1, 4}, kIpv4Address}, 24, true},     {{{2, 4}, kIpv4Address}, 24, false},
      {{{0, 0x20}, kIpv4Address}, 24, false}, {{{0, 4}, kIpv6Address}, 36, false},
      {{{0, 4}, kIpv4Address}, 8, false},     {{{0, 4}, kIpv4Address}, 0, false},
      {{{0, 4}, kIpv4Address}, 23, false},
  };
  for (const auto& [reply, size, is_legal] : kCases) {
    FakeHost host;
    host.set_answer(AnswerWithData(size, BytesOf(reply)));
    const auto connection = SocketAccept(3, 4, false);
    EXPECT_EQ(connection.ok(), is_legal) << size;
    bool is_closed = false;  // a warning may come before or after
    for (const GateCall& call : host.calls()) {
      is_closed = is_closed ||
                  (call.a[0] == static_cast<uint64_t>(HostCall::kSocketClose) && call.a[1] == 4u);
    }
    EXPECT_EQ(is_closed, !is_legal) << size;
    if (is_legal) {
      EXPECT_TRUE(connection.value().more);
      EXPECT_EQ(connection.value().events, 4u);
    }
  }
}

TEST(ClientTest, DatagramsAreWhatTheirRecordsSay) {
  struct Reply {
    shim::DatagramRecord record;
    std::array<char, 8> data;
  };
  const std::array<char, 8> data = {'d', 'a', 't', 'a', 'g', 'r', 'a', 'm'};
  const struct {
    Reply reply;
    int64_t size;
    bool is_legal;
  } kCases[] = {
      {{{16, 4, 0, kIpv4Address}, data}, 44, true},
      {{{0, 4, 1, {}}, data}, 44, true},
      {{{16, 0, 0, kIpv4Address}, data}, 40, true},
      {{{16, 70, 0, kIpv4Address}, data}, 46, true},
      {{{16, 70, 0, kIpv4Address}, data}, 44, false},
      {{{16, 3, 0, kIpv4Address}, data}, 44, false},
      {{{16, 65536, 0, kIpv4Address}, data}, 46, false},
      {{{16, 4, 2, kIpv4Address}, data}, 44, false},
      {{{28, 4, 0, kIpv6Address}, data}, 44, false},
      {{{29, 4, 0, kIpv4Address}, data}, 44, false},
      {{{16, 4, 0, kIpv4Address}, data}, 39, false},
      {{{16, 4, 0, kIpv4Address}, data}, 0, false},
      {{{16, 4, 0, kIpv4Address}, data}, 47, false},
  };
  for (const auto& [reply, size, is_legal] : kCases) {
    FakeHost host;
    host.set_answer(AnswerWithData(size, BytesOf(reply)));
    std::array<char, 6> out = {};
    const auto datagram = SocketReceiveFrom(3, BytesIn(out), false, false);
    EXPECT_EQ(datagram.ok(), is_legal) << size << " " << reply.record.full_size;
    if (datagram.ok()) {
      EXPECT_EQ(datagram.value().size, static_cast<size_t>(size - 40));
      EXPECT_EQ(datagram.value().full_size, reply.record.full_size);
    } else {
      EXPECT_EQ(out, (std::array<char, 6>{})) << "nothing is taken over";
    }
  }
}

TEST(ClientTest, SocketsNeverMoveMoreThanWasAsked) {
  for (const int64_t reply : {int64_t{9}, INT64_MAX, int64_t{-EINTR}, int64_t{-EEXIST}}) {
    FakeHost host;
    host.AnswerWith(reply);
    std::array<std::byte, 8> data = {};
    EXPECT_EQ(SocketSend(3, data, false).error(), Errno::kEIO);
    EXPECT_EQ(SocketReceive(3, data, false).error(), Errno::kEIO);
    EXPECT_EQ(SocketSendTo(3, data, {.size = 16, .bytes = {}}).error(), Errno::kEIO);
    EXPECT_EQ(SocketConnect(3, {.size = 16, .bytes = {}}).error(), Errno::kEIO);
    EXPECT_EQ(host.log_lines().size(), 4u);
  }
  FakeHost host;
  host.AnswerWith(int64_t{1} << 33);
  EXPECT_EQ(SocketGetOption(3, SocketOption::kError).error(), Errno::kEIO);
  host.AnswerWith(0x20);
  EXPECT_EQ(SocketPoll(3).error(), Errno::kEIO);
}

TEST(ClientTest, NameServersOfUnknownFamiliesEndTheList) {
  const std::array<shim::NameServerRecord, 3> records = {shim::NameServerRecord{2, {127, 0, 0, 1}},
                                                         shim::NameServerRecord{10, {}},
                                                         shim::NameServerRecord{1, {}}};
  FakeHost host;
  host.set_answer(AnswerWithData(3, BytesOf(records)));
  std::array<NameServer, 4> servers;
  EXPECT_EQ(NameServers(servers), 2u);
  EXPECT_FALSE(servers[0].is_ipv6);
  EXPECT_TRUE(servers[1].is_ipv6);
  EXPECT_EQ(host.log_lines().size(), 1u);
  host.AnswerWith(5);
  EXPECT_EQ(NameServers(servers), 0u);
}

TEST(ClientTest, InterfacesWithIllegalRecordsEndTheList) {
  const shim::InterfaceRecord good = {.name = {'l', 'o'},
                                      .index = 1,
                                      .flags = 0xffffffff,
                                      .mtu = 65536,
                                      .family = 2,
                                      .prefix = 8,
                                      .address = {127, 0, 0, 1}};
  std::array<shim::InterfaceRecord, 8> bad;
  bad.fill(good);
  bad[0].name = {};
  bad[1].name.fill('x');
  bad[2].name = {'a', '\n'};
  bad[3].name = {'a', 0, 'b'};
  bad[4].index = 0;
  bad[5].family = 1;
  bad[6].prefix = 33;
  bad[7].mtu = 1u << 31;
  for (const shim::InterfaceRecord& record : bad) {
    FakeHost host;
    host.set_answer(AnswerWithData(2, BytesOf(std::array{good, record})));
    std::array<InterfaceRecord, 4> found;
    ASSERT_EQ(Interfaces(found), 1u);
    EXPECT_EQ(std::string_view(found[0].name.data()), "lo");
    EXPECT_EQ(found[0].flags, 0x1105bu);
    EXPECT_EQ(found[0].kind, InterfaceRecord::Kind::kIpv4);
    EXPECT_EQ(found[0].address[0], std::byte{127});
    EXPECT_EQ(host.log_lines().size(), 1u);
  }
  FakeHost host;
  host.AnswerWith(5);
  std::array<InterfaceRecord, 4> found;
  EXPECT_EQ(Interfaces(found), 0u);
}

TEST(ClientTest, AnImpossibleTimeIsZero) {
  FakeHost host;
  host.AnswerWith(1'700'000'000'000'000'000);
  EXPECT_EQ(WallClock(), 1'700'000'000'000'000'000u);
  host.AnswerWith(-1);
  EXPECT_EQ(WallClock(), 0u);
}

TEST(ClientTest, LogIsCutAndTellsNobodyOfItsOwnFailure) {
  FakeHost host;
  Log(LogLevel::kWarning, std::string(3000, 'x'));
  ASSERT_EQ(host.log_lines().size(), 1u);
  EXPECT_EQ(host.log_lines()[0], std::string(1024, 'x'));

  host.AnswerLogToo();
  host.AnswerWith(99);
  Log(LogLevel::kWarning, std::string_view("y"));
  EXPECT_EQ(host.calls().size(), 2u);
}

// A host that has `size` bytes of certificates.
void Serve(FakeHost& host, std::span<const std::byte> chain) {
  host.set_answer([chain](const GateCall& call, std::span<std::byte> window) {
    const size_t offset = std::min<size_t>(call.a[1], chain.size());
    const size_t count = std::min<size_t>(call.a[2], chain.size() - offset);
    std::memcpy(window.data(), chain.data() + offset, count);
    return static_cast<int64_t>(count);
  });
}

TEST(ClientTest, CertificatesArePutTogetherFromParts) {
  std::vector<std::byte> chain(1000);
  for (size_t i = 0; i < chain.size(); ++i) {
    chain[i] = static_cast<std::byte>(i * 7);
  }
  FakeHost host(64);
  Serve(host, chain);
  std::vector<std::byte> out(1000);
  EXPECT_EQ(CertificateChain(out).value(), 1000u);
  EXPECT_EQ(out, chain);
  std::vector<std::byte> roomy(2000);
  EXPECT_EQ(CertificateChain(roomy).value(), 1000u);
  std::vector<std::byte> tight(999);
  EXPECT_EQ(CertificateChain(tight).error(), Errno::kEOVERFLOW);
}

TEST(ClientTest, IdleAndWakeAreCallsOfTheGate) {
  FakeHost host;
  Idle(77);
  WakeVcpu(3);
  SetTick(1000);
  ASSERT_EQ(host.calls().size(), 3u);
  EXPECT_EQ(host.calls()[0].call, uint64_t{NSGX_GATE_IDLE});
  EXPECT_EQ(host.calls()[0].a[0], 77u);
  EXPECT_EQ(host.calls()[1].call, uint64_t{NSGX_GATE_WAKE});
  EXPECT_EQ(host.calls()[1].a[0], 3u);
  EXPECT_EQ(host.calls()[2].a[0], static_cast<uint64_t>(HostCall::kSetTick));
  EXPECT_EQ(host.calls()[2].a[1], 1000u);
}

sigjmp_buf after_trap;

TEST(ClientTest, DoneDoesNotReturnWhateverTheGateDoes) {
  FakeHost host;
  struct sigaction action = {}, before = {};
  action.sa_handler = [](int) { siglongjmp(after_trap, 1); };
  ASSERT_EQ(sigaction(SIGILL, &action, &before), 0);
  if (sigsetjmp(after_trap, 1) == 0) {
    Done(NSGX_DONE_EXIT, 5);
  }
  sigaction(SIGILL, &before, nullptr);
  ASSERT_EQ(host.calls().size(), 1u);
  EXPECT_EQ(host.calls()[0].call, uint64_t{NSGX_GATE_DONE});
  EXPECT_EQ(host.calls()[0].a[0], uint64_t{NSGX_DONE_EXIT});
  EXPECT_EQ(host.calls()[0].a[1], 5u);
}

}  // namespace
}  // namespace nsgx::libos::host
