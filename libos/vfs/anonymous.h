// SPDX-License-Identifier: Apache-2.0
// Inodes that no name leads to: pipes, eventfds, epolls, sockets, standard streams.
#pragma once

#include <cstdint>
#include <string_view>

#include "libos/vfs/file_system.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {

FileSystem& PipeFileSystem();
FileSystem& SocketFileSystem();
FileSystem& AnonymousFileSystem();

class AnonymousInode : public Inode {
 public:
  // ENXIO: there is nothing that could be opened anew.
  Result<void, Errno> Open(File& file) override;

 protected:
  AnonymousInode(FileSystem& file_system, uint32_t mode);
  ~AnonymousInode() = default;
};

}  // namespace nsgx::libos
