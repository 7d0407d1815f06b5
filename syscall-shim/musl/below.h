/* SPDX-License-Identifier: Apache-2.0 */
/* What the C library expects from below. A native program links native.S; an enclave links the
 * library OS. C11-clean.
 *
 * All functions use the C calling convention and may be called before there is a thread pointer.
 * Results of system calls follow the kernel's convention: -errno on failure. The thread-stack
 * functions follow that of the C functions they stand for: MAP_FAILED or -1 with errno set. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NSGX_BELOW __attribute__((visibility("hidden")))

/* Linux system call `number`. */
NSGX_BELOW long libos_syscall(long number, long a1, long a2, long a3, long a4, long a5, long a6);

/* clone(2) with a new stack: the child runs `start(argument)` on `stack` and ends with its result
 * as exit status. Returns the thread id in the caller. Serves pthread_create and posix_spawn. */
NSGX_BELOW int libos_clone(int (*start)(void*), void* stack, int flags, void* argument,
                           int* parent_tid, void* thread_pointer, int* child_tid);

/* Unmaps the stack that the calling thread stands on, and ends the thread. */
NSGX_BELOW __attribute__((noreturn)) void libos_unmapself(void* base, size_t size);

/* Sets the thread pointer (FS base) of the calling thread; 0 or -errno. */
NSGX_BELOW int libos_set_tls(void* thread_pointer);

/* Where a signal handler returns to, with the signal frame at the stack pointer. Not called from C.
 */
NSGX_BELOW void libos_sigreturn(void);

/* mmap, mprotect and munmap for the stacks of new threads, apart so that stacks can be kept for
 * reuse. */
NSGX_BELOW void* libos_thread_stack_map(void* address, size_t size, int protection, int flags,
                                        int file, long offset);
NSGX_BELOW int libos_thread_stack_protect(void* address, size_t size, int protection);
NSGX_BELOW int libos_thread_stack_unmap(void* address, size_t size);

#ifdef __cplusplus
}
#endif
