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

}  // namespace host
}  // namespace nsgx::libos
