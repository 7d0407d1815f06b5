// SPDX-License-Identifier: Apache-2.0
// What the C library expects from below (syscall-shim/musl/below.h), as far as entry.S leaves it to
// C++.
#include <errno.h>
#include <sys/mman.h>

#include <cstdint>

#include "libos/kernel/clone.h"
#include "libos/kernel/process.h"
#include "syscall-shim/entry/trampoline.h"
#include "syscall-shim/musl/below.h"

namespace {

using nsgx::shim::ToKernelResult;
using namespace nsgx::libos;  // handlers below belong to the library OS; the rest of the file to
                              // the program

}  // namespace

// ---- called by entry.S in the library OS, as handlers: the first argument is where a call has its
// number ------------------

extern "C" {

NSGX_BELOW int64_t libos_clone_thread(uint64_t start, uint64_t stack, uint64_t flags,
                                      uint64_t argument, uint64_t parent_tid,
                                      uint64_t thread_pointer, uint64_t child_tid);
NSGX_BELOW int64_t libos_exit_and_unmap(uint64_t base, uint64_t size);
NSGX_BELOW int64_t libos_map_stack(uint64_t size, int32_t protection);
NSGX_BELOW int64_t libos_protect_stack(uint64_t address, uint64_t size, int32_t protection);
NSGX_BELOW int64_t libos_unmap_stack(uint64_t address, uint64_t size);

// The ways there, in entry.S.
NSGX_BELOW int64_t libos_call_map_stack(uint64_t size, int32_t protection);
NSGX_BELOW int64_t libos_call_protect_stack(uint64_t address, uint64_t size, int32_t protection);
NSGX_BELOW int64_t libos_call_unmap_stack(uint64_t address, uint64_t size);

int64_t libos_clone_thread(uint64_t start, uint64_t stack, uint64_t flags, uint64_t argument,
                           uint64_t parent_tid, uint64_t thread_pointer, uint64_t child_tid) {
  return ToKernelResult(CloneThread({.flags = flags,
                                     .parent_tid = parent_tid,
                                     .child_tid = child_tid,
                                     .thread_pointer = thread_pointer,
                                     .stack = stack,
                                     .start = start,
                                     .argument = argument}));
}

int64_t libos_exit_and_unmap(uint64_t base, uint64_t size) {
  // The thread stands on its kernel stack here; the program's may go.
  static_cast<void>(GiveThreadStack(base, size).ok());
  ExitCurrentThread(0);
}

int64_t libos_map_stack(uint64_t size, int32_t protection) {
  return ToKernelResult(TakeThreadStack(size, protection));
}
int64_t libos_protect_stack(uint64_t address, uint64_t size, int32_t protection) {
  return ToKernelResult(ProtectThreadStack(address, size, protection));
}
int64_t libos_unmap_stack(uint64_t address, uint64_t size) {
  return ToKernelResult(GiveThreadStack(address, size));
}

// ---- called by the C library in the program
// -------------------------------------------------------------------------

void* libos_thread_stack_map(void*, size_t size, int protection, int, int, long) {
  const int64_t result = libos_call_map_stack(size, protection);
  if (result < 0) {
    errno = static_cast<int>(-result);
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(result);
}

int libos_thread_stack_protect(void* address, size_t size, int protection) {
  const int64_t result =
      libos_call_protect_stack(reinterpret_cast<uint64_t>(address), size, protection);
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return 0;
}

int libos_thread_stack_unmap(void* address, size_t size) {
  const int64_t result = libos_call_unmap_stack(reinterpret_cast<uint64_t>(address), size);
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return 0;
}

}  // extern "C"
