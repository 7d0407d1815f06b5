// SPDX-License-Identifier: Apache-2.0
// Host threads that enter enclaves.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "vmpl-switch/sim/thread_block.h"

namespace nsgx::sim {

// Returns the calling thread's block. Makes it at the first call: alternate signal stack,
// system-call trap, and all signals that have a handler which is not the machine's are blocked,
// because no other handler can run on an enclave's thread pointer. (So a program installs its
// handlers before it enters an enclave, and takes those signals on another thread.) All is undone
// when the thread ends.
//
// Errors: kNoMemory.
// Requires: OpenProcess succeeded.
Result<ThreadBlock*> AttachThread();

// Ticks for the calling thread every `microseconds`, 0: none. Errors: kNoMemory  Linux has no timer
// left.
Result<void> SetThreadTick(ThreadBlock& block, uint32_t microseconds);

}  // namespace nsgx::sim
