// SPDX-License-Identifier: Apache-2.0
// The network interfaces, as programs ask for them: they are the host's, and what is said of them
// is its claim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "libos/host/host.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

inline constexpr uint32_t kIFF_BROADCAST = 0x2;
inline constexpr uint32_t kIFF_LOOPBACK = 0x8;

class InterfaceList {
 public:
  // Asks the host. Requires: no lock.
  InterfaceList() : count_(host::Interfaces(records_)) {}

  std::span<const host::InterfaceRecord> records() const { return {records_, count_}; }

 private:
  host::InterfaceRecord records_[host::kMaxInterfaceRecords];
  size_t count_;
};

inline std::string_view NameOf(const host::InterfaceRecord& record) { return record.name.data(); }
// Of an IPv4 address, in network order.
struct Ipv4Bytes {
  uint8_t bytes[4];
};
Ipv4Bytes Ipv4AddressOf(const host::InterfaceRecord& record);
Ipv4Bytes Ipv4MaskOf(const host::InterfaceRecord& record);
Ipv4Bytes Ipv4BroadcastOf(const host::InterfaceRecord& record);

// The ioctl requests of sockets that concern interfaces: SIOCGIFCONF, SIOCGIFNAME, SIOCGIFINDEX and
// what tells of one interface. ENODEV, EADDRNOTAVAIL; ENOTTY: another request.
SysResult InterfaceControl(uint32_t request, uint64_t argument);

}  // namespace nsgx::libos
