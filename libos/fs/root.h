// SPDX-License-Identifier: Apache-2.0
// The tree that a program finds when it starts. docs/files.md describes it.
#pragma once

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

// Builds and mounts the tree, and makes "/" root and working directory of the process. Once.
// ENOSPC, ENOMEM.
Result<void, Errno> MountTree();

// At the end of a test: everything is closed, unmounted and given back. Requires: no other thread
// uses files.
void UnmountTree();

}  // namespace nsgx::libos
