// SPDX-License-Identifier: Apache-2.0
// How threads of the program begin and end.
#pragma once

#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/thread.h"

namespace nsgx::libos {

struct CloneRequest {
  uint64_t flags;
  uint64_t parent_tid;  // user addresses
  uint64_t child_tid;
  uint64_t thread_pointer;
  uint64_t stack;
  // Where the thread begins: start(argument); or, when 0, where the caller's raw call returns, with
  // 0.
  uint64_t start;
  uint64_t argument;
};

// Makes a thread and its number known, and runs it. ENOSYS: that would be a process, which is told
// once. ENOMEM, EAGAIN, EINVAL.
Result<int32_t, Errno> CloneThread(const CloneRequest& request);

// The stacks of threads that the C library makes, see stack_cache.h. Protections are those of mmap.
Result<uint64_t, Errno> TakeThreadStack(uint64_t size, int32_t protection);
Result<void, Errno> ProtectThreadStack(uint64_t address, uint64_t size, int32_t protection);
Result<void, Errno> GiveThreadStack(uint64_t address, uint64_t size);

// Makes a Thread for the program's first thread, which is not running yet. Its entry is
// PrepareContext's. ENOMEM.
Result<Thread*, Errno> MakeFirstThread();

}  // namespace nsgx::libos
