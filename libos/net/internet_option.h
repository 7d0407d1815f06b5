// SPDX-License-Identifier: Apache-2.0
// The options of Internet sockets that reach the host: each is one of a list, an integer or a few,
// and nothing of the program's bytes goes out as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/core/result.h"
#include "libos/host/host.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

enum class OptionForm : uint8_t {
  kInteger,
  kByteOrInteger,  // as level IPPROTO_IP has it
  kLinger,         // struct linger
  kInterface,      // IP_MULTICAST_IF: struct in_addr, ip_mreq or ip_mreqn
};

struct InternetOption {
  int32_t level;
  int32_t name;
  OptionForm form;
  host::SocketOption option;
};

// Null: there is no such option for sockets of this kind.
const InternetOption* FindInternetOption(int32_t level, int32_t name, int32_t domain, int32_t type);

// Between the program's form and the host's. EINVAL: too few bytes.
Result<uint64_t, Errno> LoadOption(const InternetOption& option, std::span<const std::byte> value);
// Returns how many bytes of `out` were filled.
size_t StoreOption(const InternetOption& option, uint64_t value, std::span<std::byte> out);

// Whether this is an option that joins (false) or leaves (true) a multicast group.
std::optional<bool> IsMembershipOption(int32_t level, int32_t name, int32_t domain);
// EINVAL: too few bytes.
Result<host::MulticastGroup, Errno> LoadMembership(std::span<const std::byte> value,
                                                   int32_t domain);

}  // namespace nsgx::libos
