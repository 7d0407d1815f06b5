// SPDX-License-Identifier: Apache-2.0
// Folders of the host in the tree: what the operator wants and the measured configuration allows.
#pragma once

#include "vmpl-switch/image/config.h"

namespace nsgx::libos {

// Mounts them; what cannot be mounted is said to the operator, and left out. Requires: the tree is
// there.
void MountHostFolders(const ConfigView& config);

// At the end of a test, when nothing is mounted any more.
void ForgetHostFolders();

}  // namespace nsgx::libos
