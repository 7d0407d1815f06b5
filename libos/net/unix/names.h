// SPDX-License-Identifier: Apache-2.0
// Names of Unix-domain sockets: paths, which stand for an inode of some file system, and abstract
// ones.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/net/socket.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class UnixSocket;
struct SocketsByName;

// The name that a socket has, as long as it has one. Protected by the lock of the table of names.
struct UnixName {
  SocketAddress address;  // its size is 0 without a name
  Ref<Inode> inode;       // of a path
  uint64_t hash = 0;
};

// An address of the program's, checked: what follows the family. EINVAL.
Result<std::string_view, Errno> UnixAddressText(const SocketAddress& address);

// Gives `socket` a name; without a text, one that nobody has. EINVAL: it has one. EADDRINUSE, and
// the errors of a path.
Result<void, Errno> BindName(UnixSocket& socket, std::string_view text);
// Nobody finds the socket any more. The inode stays in its directory, as on Linux. Requires: no
// locks.
void ReleaseName(UnixSocket& socket);
// The address that a socket was given; without one, that of nobody.
SocketAddress NameOf(UnixSocket& socket);

// The socket that has this name. ECONNREFUSED: nobody has it; the errors of a path; EACCES.
Result<Ref<UnixSocket>, Errno> FindByName(std::string_view text);

}  // namespace nsgx::libos
