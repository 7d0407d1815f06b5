// SPDX-License-Identifier: Apache-2.0
// Pseudo-terminals: /dev/ptmx makes a pair, whose program side is /dev/pts/N.
#pragma once

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {

// Makes the device 5:2. `directory`: where the program sides appear. Once, at boot.
void RegisterPseudoTerminals(Inode& directory);
// At the end of a test, when everything is closed.
void UnregisterPseudoTerminals();

// What an open file of the process's controlling terminal behaves as, if that is one of these;
// null: it has none. For /dev/tty.
Result<FileObject*, Errno> OpenControllingTerminal(File& file);

}  // namespace nsgx::libos
