// SPDX-License-Identifier: Apache-2.0
// Arms and disarms the calling thread: a system call from anywhere but this program's own code
// becomes SIGSYS.
#pragma once

#include "vmpl-switch/sim/process.h"

namespace nsgx::sim {

struct ThreadBlock;

bool IsDispatchSupported();
bool IsSeccompSupported();

// Returns false when Linux refuses what it offered before; system calls of enclaves then reach it
// from this thread.
bool ArmSyscallTrap(SyscallTrap trap, ThreadBlock& block);
void DisarmSyscallTrap(SyscallTrap trap);

}  // namespace nsgx::sim
