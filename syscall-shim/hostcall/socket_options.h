// SPDX-License-Identifier: Apache-2.0
// The options of sockets that an enclave can set or ask for in the host.
#pragma once

#include <cstdint>

namespace nsgx::shim {

// Options of sockets. Values are integers as Linux has them, unless noted; there is no way to reach
// an option that is not here.
enum class SocketOption : uint32_t {
  kError = 0,      // read only: SO_ERROR
  kAvailable = 1,  // read only: FIONREAD
  kUnsent = 2,     // read only: SIOCOUTQ
  kReuseAddress = 3,
  kReusePort = 4,
  kKeepAlive = 5,
  kBroadcast = 6,
  kSendBuffer = 7,
  kReceiveBuffer = 8,
  kLinger = 9,  // bit 32: on; below, seconds
  kOobInline = 10,
  kNoDelay = 11,
  kCork = 12,
  kKeepIdle = 13,
  kKeepInterval = 14,
  kKeepCount = 15,
  kUserTimeout = 16,
  kQuickAck = 17,
  kMaximumSegment = 18,
  kDeferAccept = 19,
  kV6Only = 20,
  kTtl = 21,
  kTypeOfService = 22,
  kMulticastTtl = 23,
  kMulticastLoop = 24,
  kMulticastInterface = 25,  // an IPv4 address as it is in memory, or for IPv6 an index
  kUnicastHops = 26,
  kTrafficClass = 27,
  kSynCount = 28,
  kFinTimeout = 29,
};
inline constexpr uint64_t kLingerOn = uint64_t{1} << 32;

}  // namespace nsgx::shim
