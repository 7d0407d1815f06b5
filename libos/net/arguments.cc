// SPDX-License-Identifier: Apache-2.0
#include "libos/net/arguments.h"

#include <algorithm>
#include <span>
#include <utility>

#include "libos/vfs/process_files.h"

namespace nsgx::libos {

Result<Socket*, Errno> SocketOf(File& file) {
  Socket* const socket = file.object().socket();
  if (socket == nullptr) {
    return Error(Errno::kENOTSOCK);
  }
  return socket;
}

Result<OpenSocket, Errno> GetSocket(int32_t fd) {
  Ref<File> file = TRY(GetFile(fd));
  Socket* const socket = TRY(SocketOf(*file));
  return OpenSocket{.file = std::move(file), .socket = socket};
}

Result<void, Errno> ReadAddress(UserIn<std::byte> from, int32_t size, SocketAddress& out) {
  if (size < 0 || static_cast<size_t>(size) > sizeof(out.bytes)) {
    return Error(Errno::kEINVAL);
  }
  out.size = static_cast<size_t>(size);
  // Without an address there is no memory to look at.
  return size == 0 ? Result<void, Errno>()
                   : CopyFromUser(std::span(out.bytes, out.size), from.address());
}

Result<void, Errno> WriteAddress(UserOut<std::byte> to, UserOut<int32_t> size,
                                 const SocketAddress& address) {
  const int32_t room = TRY(Read(UserIn<int32_t>(size.address())));
  if (room < 0) {
    return Error(Errno::kEINVAL);
  }
  const size_t part = std::min(static_cast<size_t>(room), address.size);
  TRY(CopyToUser(to.address(), std::span(address.bytes, part)));
  return Write(size, static_cast<int32_t>(address.size));
}

}  // namespace nsgx::libos
