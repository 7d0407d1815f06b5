// SPDX-License-Identifier: Apache-2.0
// What the socket calls have in common: a socket by its descriptor, and addresses on their way
// between program and library OS.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/user_memory.h"
#include "libos/net/socket.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

// ENOTSOCK.
Result<Socket*, Errno> SocketOf(File& file);

// A descriptor's open file that is a socket.
struct OpenSocket {
  Ref<File> file;
  Socket* socket;
};
// EBADF, ENOTSOCK.
Result<OpenSocket, Errno> GetSocket(int32_t fd);

// EINVAL: a size that no address has. EFAULT.
Result<void, Errno> ReadAddress(UserIn<std::byte> from, int32_t size, SocketAddress& out);
// Writes as much as the program has room for, which `size` says, and then the whole size there.
// EINVAL: less than nothing. EFAULT.
Result<void, Errno> WriteAddress(UserOut<std::byte> to, UserOut<int32_t> size,
                                 const SocketAddress& address);

}  // namespace nsgx::libos
