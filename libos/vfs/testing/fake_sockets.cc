// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/fake_sockets.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "libos/host/host.h"
#include "libos/kernel/socket_wait.h"

namespace nsgx::libos {
namespace {

constinit std::atomic<SocketEventSink*> sink{nullptr};
constinit std::atomic<uint32_t> waiters{0};
constinit std::atomic<uint64_t> last_wait{0};

}  // namespace

void SetSocketEventSink(SocketEventSink* told) { sink = told; }
void AddSocketWaiter() { ++waiters; }
void RemoveSocketWaiter() { --waiters; }
uint64_t LastSocketWait() { return last_wait; }
// The test tells what there is.
bool LookForSocketEvents() { return false; }
void LookForSocketEventsSometimes() {}

namespace testing {

void TellSocketEvents(uint32_t socket, uint32_t events, uint64_t wait) {
  const host::Ready ready = {.source = host::kSocketSource + socket, .events = events};
  if (SocketEventSink* const told = sink.load(); told != nullptr) {
    told->OnSocketEvents({&ready, 1}, wait);
  }
}

uint64_t BeginSocketWait() { return ++last_wait; }
uint32_t socket_waiter_count() { return waiters; }

}  // namespace testing

namespace host {

// Two that are in no network.
size_t NameServers(std::span<NameServer> out) {
  constexpr auto kBytes = [](std::initializer_list<uint8_t> values) {
    std::array<std::byte, 16> bytes = {};
    std::ranges::transform(values, bytes.begin(), [](uint8_t value) { return std::byte{value}; });
    return bytes;
  };
  const std::array<NameServer, 2> servers = {
      NameServer{.is_ipv6 = false, .address = kBytes({192, 0, 2, 53})},
      NameServer{
          .is_ipv6 = true,
          .address = kBytes({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x35})}};
  const size_t count = std::min(out.size(), servers.size());
  std::copy_n(servers.begin(), count, out.begin());
  return count;
}

// A loopback, and a network of no machine.
size_t Interfaces(std::span<InterfaceRecord> out) {
  using Kind = InterfaceRecord::Kind;
  constexpr std::array<std::byte, 16> kNone = {};
  constexpr std::array<std::byte, 16> kLocal = {std::byte{127}, {}, {}, std::byte{1}};
  constexpr std::array<std::byte, 16> kOutside = {std::byte{192}, {}, std::byte{2}, std::byte{7}};
  constexpr std::array<char, 16> kLoopback = {'l', 'o'}, kEthernet = {'e', 't', 'h', '0'};
  constexpr uint32_t kLoopbackFlags = 0x10049, kEthernetFlags = 0x11043;
  const std::array<InterfaceRecord, 4> records = {
      InterfaceRecord{kLoopback, 1, kLoopbackFlags, 65536, Kind::kInterface, 0, kNone},
      InterfaceRecord{kEthernet, 2, kEthernetFlags, 1500, Kind::kInterface, 0, kNone},
      InterfaceRecord{kLoopback, 1, kLoopbackFlags, 65536, Kind::kIpv4, 8, kLocal},
      InterfaceRecord{kEthernet, 2, kEthernetFlags, 1500, Kind::kIpv4, 20, kOutside}};
  const size_t count = std::min(out.size(), records.size());
  std::copy_n(records.begin(), count, out.begin());
  return count;
}

}  // namespace host
}  // namespace nsgx::libos
