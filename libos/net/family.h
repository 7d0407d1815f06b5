// SPDX-License-Identifier: Apache-2.0
// Which kinds of sockets there are. A family adds its row to the table in family.cc.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/net/socket.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

struct SocketPair {
  Ref<Socket> first;
  Ref<Socket> second;
};

// `type` without flags. EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EINVAL; EPERM for sockets
// that only root of a real machine may have; ENOMEM and whatever the family has to say.
Result<Ref<Socket>, Errno> MakeSocket(int32_t domain, int32_t type, int32_t protocol);
// Two sockets connected with each other. EOPNOTSUPP: the family has no such thing.
Result<SocketPair, Errno> MakeSocketPair(int32_t domain, int32_t type, int32_t protocol);

}  // namespace nsgx::libos
