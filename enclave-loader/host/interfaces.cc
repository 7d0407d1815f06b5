// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/host/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <numeric>
#include <string_view>

#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::loader {
namespace {

// 0: unknown.
uint32_t MtuOf(std::string_view name) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return 0;
  }
  ifreq request = {};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  const bool is_known = ioctl(fd, SIOCGIFMTU, &request) == 0;
  close(fd);
  return is_known ? static_cast<uint32_t>(request.ifr_mtu) : 0;
}

// The bytes of an Internet address; empty: it is of another family.
std::span<const uint8_t> AddressBytes(const sockaddr* address) {
  if (address != nullptr && address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    return {reinterpret_cast<const uint8_t*>(&in->sin_addr), sizeof(in->sin_addr)};
  }
  if (address != nullptr && address->sa_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
    return {reinterpret_cast<const uint8_t*>(&in->sin6_addr), sizeof(in->sin6_addr)};
  }
  return {};
}

}  // namespace

int64_t Interfaces(std::span<std::byte> out) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) {
    return 0;
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, &freeifaddrs);
  const size_t room = out.size() / sizeof(shim::InterfaceRecord);
  size_t count = 0;
  for (const ifaddrs* entry = first; entry != nullptr && count < room; entry = entry->ifa_next) {
    shim::InterfaceRecord record = {};
    const std::string_view name(entry->ifa_name);
    record.index = if_nametoindex(entry->ifa_name);
    if (name.size() >= record.name.size() || record.index == 0) {
      continue;  // it has gone meanwhile
    }
    std::ranges::copy(name, record.name.begin());
    record.flags = entry->ifa_flags;
    record.mtu = MtuOf(name);
    if (const std::span<const uint8_t> address = AddressBytes(entry->ifa_addr); !address.empty()) {
      record.family = entry->ifa_addr->sa_family;
      std::ranges::copy(address, record.address.begin());
      const std::span<const uint8_t> mask = AddressBytes(entry->ifa_netmask);
      record.prefix =
          std::accumulate(mask.begin(), mask.end(), uint32_t{0}, [](uint32_t sum, uint8_t byte) {
            return sum + static_cast<uint32_t>(std::popcount(byte));
          });
    }
    std::memcpy(&out[count * sizeof(record)], &record, sizeof(record));
    ++count;
  }
  return static_cast<int64_t>(count);
}

}  // namespace nsgx::loader
