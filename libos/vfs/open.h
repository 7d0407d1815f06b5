// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

// open(2) without the descriptor: the open file that `path`, from `start` on, `flags` and `mode`
// ask for. `resolve`: see PathWalk. May sleep (FIFO).
Result<Ref<File>, Errno> OpenPath(Ref<Inode> start, std::string_view path, uint32_t flags,
                                  uint32_t mode, uint64_t resolve = 0);

// What a new object in `directory` starts as: the process is its owner, umask is applied, a
// set-group-id directory hands on its group.
NewNode NodeFor(const Inode& directory, uint32_t type, uint32_t mode);

}  // namespace nsgx::libos
