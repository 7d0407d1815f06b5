// SPDX-License-Identifier: Apache-2.0
#include "libos/net/family.h"

#include "libos/net/internet_socket.h"
#include "libos/net/netlink_socket.h"
#include "libos/net/unix/unix_socket.h"

namespace nsgx::libos {
namespace {

struct SocketFamily {
  int32_t domain;
  Result<Ref<Socket>, Errno> (*make)(int32_t type, int32_t protocol);
  Result<SocketPair, Errno> (*make_pair)(int32_t type, int32_t protocol);  // null: has no pairs
};

constexpr SocketFamily kFamilies[] = {
    {.domain = kAF_UNIX, .make = MakeUnixSocket, .make_pair = MakeUnixSocketPair},
    {.domain = kAF_INET, .make = &MakeIpv4Socket, .make_pair = nullptr},
    {.domain = kAF_INET6, .make = &MakeIpv6Socket, .make_pair = nullptr},
    {.domain = kAF_NETLINK, .make = &MakeNetlinkSocket, .make_pair = nullptr},
};

// EAFNOSUPPORT, EINVAL.
Result<const SocketFamily*, Errno> FindFamily(int32_t domain, int32_t type) {
  if (domain < 0 || domain >= kAF_MAX) {
    return Error(Errno::kEAFNOSUPPORT);
  }
  if (type < 0 || type >= kSOCK_MAX) {
    return Error(Errno::kEINVAL);
  }
  for (const SocketFamily& family : kFamilies) {
    if (family.domain == domain) {
      return &family;
    }
  }
  return Error(Errno::kEAFNOSUPPORT);
}

}  // namespace

Result<Ref<Socket>, Errno> MakeSocket(int32_t domain, int32_t type, int32_t protocol) {
  return TRY(FindFamily(domain, type))->make(type, protocol);
}

Result<SocketPair, Errno> MakeSocketPair(int32_t domain, int32_t type, int32_t protocol) {
  const SocketFamily& family = *TRY(FindFamily(domain, type));
  if (family.make_pair == nullptr) {
    // As Linux, which makes the first socket before it finds out.
    TRY(family.make(type, protocol));
    return Error(Errno::kEOPNOTSUPP);
  }
  return family.make_pair(type, protocol);
}

}  // namespace nsgx::libos
