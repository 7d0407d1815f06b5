// SPDX-License-Identifier: Apache-2.0
#include "libos/net/internet_option.h"

#include <cstring>

#include "libos/net/linux_abi.h"
#include "libos/net/socket.h"

namespace nsgx::libos {
namespace {

using enum OptionForm;
using host::SocketOption;

// Numbers of the Linux ABI that nobody else needs.
constexpr int32_t kIpMulticastInterface = 32;
constexpr int32_t kIpAddMembership = 35;
constexpr int32_t kIpDropMembership = 36;
constexpr int32_t kIpv6JoinGroup = 20;
constexpr int32_t kIpv6LeaveGroup = 21;

constexpr InternetOption kOptions[] = {
    {kSOL_SOCKET, kSO_REUSEADDR, kInteger, SocketOption::kReuseAddress},
    {kSOL_SOCKET, kSO_REUSEPORT, kInteger, SocketOption::kReusePort},
    {kSOL_SOCKET, kSO_KEEPALIVE, kInteger, SocketOption::kKeepAlive},
    {kSOL_SOCKET, kSO_BROADCAST, kInteger, SocketOption::kBroadcast},
    {kSOL_SOCKET, kSO_SNDBUF, kInteger, SocketOption::kSendBuffer},
    {kSOL_SOCKET, kSO_RCVBUF, kInteger, SocketOption::kReceiveBuffer},
    {kSOL_SOCKET, kSO_OOBINLINE, kInteger, SocketOption::kOobInline},
    {kSOL_SOCKET, kSO_LINGER, kLinger, SocketOption::kLinger},
    {kIPPROTO_TCP, 1, kInteger, SocketOption::kNoDelay},
    {kIPPROTO_TCP, 2, kInteger, SocketOption::kMaximumSegment},
    {kIPPROTO_TCP, 3, kInteger, SocketOption::kCork},
    {kIPPROTO_TCP, 4, kInteger, SocketOption::kKeepIdle},
    {kIPPROTO_TCP, 5, kInteger, SocketOption::kKeepInterval},
    {kIPPROTO_TCP, 6, kInteger, SocketOption::kKeepCount},
    {kIPPROTO_TCP, 7, kInteger, SocketOption::kSynCount},
    {kIPPROTO_TCP, 8, kInteger, SocketOption::kFinTimeout},
    {kIPPROTO_TCP, 9, kInteger, SocketOption::kDeferAccept},
    {kIPPROTO_TCP, 12, kInteger, SocketOption::kQuickAck},
    {kIPPROTO_TCP, 18, kInteger, SocketOption::kUserTimeout},
    {kIPPROTO_IP, 1, kByteOrInteger, SocketOption::kTypeOfService},
    {kIPPROTO_IP, 2, kByteOrInteger, SocketOption::kTtl},
    {kIPPROTO_IP, kIpMulticastInterface, kInterface, SocketOption::kMulticastInterface},
    {kIPPROTO_IP, 33, kByteOrInteger, SocketOption::kMulticastTtl},
    {kIPPROTO_IP, 34, kByteOrInteger, SocketOption::kMulticastLoop},
    {kIPPROTO_IPV6, 16, kInteger, SocketOption::kUnicastHops},
    {kIPPROTO_IPV6, 17, kInteger, SocketOption::kMulticastInterface},
    {kIPPROTO_IPV6, 18, kInteger, SocketOption::kMulticastTtl},
    {kIPPROTO_IPV6, 19, kInteger, SocketOption::kMulticastLoop},
    {kIPPROTO_IPV6, 26, kInteger, SocketOption::kV6Only},
    {kIPPROTO_IPV6, 67, kInteger, SocketOption::kTrafficClass},
};

bool IsFor(int32_t level, int32_t domain, int32_t type) {
  return level == kSOL_SOCKET || (level == kIPPROTO_TCP && type == kSOCK_STREAM) ||
         (level == kIPPROTO_IP && domain == kAF_INET) ||
         (level == kIPPROTO_IPV6 && domain == kAF_INET6);
}

template <typename T>
Result<T, Errno> Load(std::span<const std::byte> value) {
  T result;
  if (value.size() < sizeof(T)) {
    return Error(Errno::kEINVAL);
  }
  std::memcpy(&result, value.data(), sizeof(T));
  return result;
}

template <typename T>
size_t Store(std::span<std::byte> out, const T& value) {
  std::memcpy(out.data(), &value, sizeof(T));
  return sizeof(T);
}

}  // namespace

const InternetOption* FindInternetOption(int32_t level, int32_t name, int32_t domain,
                                         int32_t type) {
  if (IsFor(level, domain, type)) {
    for (const InternetOption& option : kOptions) {
      if (option.level == level && option.name == name) {
        return &option;
      }
    }
  }
  return nullptr;
}

Result<uint64_t, Errno> LoadOption(const InternetOption& option, std::span<const std::byte> value) {
  switch (option.form) {
    case kInteger:
      break;
    case kByteOrInteger:
      if (!value.empty() && value.size() < sizeof(int32_t)) {
        return uint64_t{static_cast<uint8_t>(value[0])};
      }
      break;
    case kLinger: {
      const auto [on, seconds] = TRY(Load<LinuxLinger>(value));
      return (on != 0 ? uint64_t{1} << 32 : 0) | static_cast<uint32_t>(seconds);
    }
    case kInterface: {
      // Of a struct ip_mreq or ip_mreqn, the interface's address is the second member.
      constexpr size_t kRequest = 8;
      return uint64_t{TRY(Load<uint32_t>(value.size() >= kRequest ? value.subspan(4) : value))};
    }
  }
  return uint64_t{static_cast<uint32_t>(TRY(IntegerOption(value)))};
}

size_t StoreOption(const InternetOption& option, uint64_t value, std::span<std::byte> out) {
  if (option.form == kLinger) {
    return Store(out, LinuxLinger{.l_onoff = (value >> 32) != 0 ? 1 : 0,
                                  .l_linger = static_cast<int32_t>(static_cast<uint32_t>(value))});
  }
  return PutIntegerOption(out, static_cast<int32_t>(static_cast<uint32_t>(value)));
}

std::optional<bool> IsMembershipOption(int32_t level, int32_t name, int32_t domain) {
  const bool is_ipv4 = level == kIPPROTO_IP && domain == kAF_INET;
  const bool is_ipv6 = level == kIPPROTO_IPV6 && domain == kAF_INET6;
  if ((is_ipv4 && name == kIpAddMembership) || (is_ipv6 && name == kIpv6JoinGroup)) {
    return false;
  }
  if ((is_ipv4 && name == kIpDropMembership) || (is_ipv6 && name == kIpv6LeaveGroup)) {
    return true;
  }
  return std::nullopt;
}

Result<host::MulticastGroup, Errno> LoadMembership(std::span<const std::byte> value,
                                                   int32_t domain) {
  host::MulticastGroup group = {};
  // struct ipv6_mreq: group, interface. struct ip_mreq: group, interface's address; ip_mreqn: then
  // the interface.
  const size_t addresses = domain == kAF_INET6 ? 16 : 8;
  if (value.size() < addresses) {
    return Error(Errno::kEINVAL);
  }
  std::memcpy(group.address.data(), value.data(), addresses);
  const auto interface = Load<uint32_t>(value.subspan(addresses));
  if (interface.ok()) {
    group.interface = interface.value();
  } else if (domain == kAF_INET6) {
    return Error(Errno::kEINVAL);
  }
  return group;
}

}  // namespace nsgx::libos
