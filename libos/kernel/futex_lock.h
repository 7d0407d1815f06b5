// SPDX-License-Identifier: Apache-2.0
// Futexes that are locks: the word holds its owner's thread id, and ownership is handed from thread
// to thread by the library OS. Linux lets the owner inherit the priority of who waits. Here all
// threads are scheduled alike, so what is left is the protocol: order of the waiters, deadlock
// found, death of the owner reported.
#pragma once

#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/thread.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

// FUTEX_LOCK_PI. EDEADLK: the caller owns it, or its owner waits for the caller. ESRCH: the owner
// is no thread. ETIMEDOUT; ERESTARTNOINTR: a signal came; EFAULT, EINVAL (unaligned).
Result<void, Errno> FutexLock(uint64_t address, Deadline deadline);
// FUTEX_TRYLOCK_PI. EAGAIN: somebody owns it.
Result<void, Errno> FutexTryLock(uint64_t address);
// FUTEX_UNLOCK_PI. EPERM: the caller is not the owner.
Result<void, Errno> FutexUnlock(uint64_t address);

// FUTEX_WAIT_REQUEUE_PI: as FutexWait at `from`, then owner of the lock at `lock`. EAGAIN: the word
// is another, or a signal came after it was moved.
Result<void, Errno> FutexWaitThenLock(uint64_t from, uint32_t expected, uint32_t bitset,
                                      uint64_t lock, Deadline deadline);
// FUTEX_CMP_REQUEUE_PI: moves one sleeper and up to `move` more from `from` to `lock`; the first
// becomes its owner if it is free. Returns how many. EINVAL: they wait for another lock. EAGAIN:
// the word at `from` is not `expected`.
Result<uint32_t, Errno> FutexRequeueToLock(uint64_t from, uint64_t lock, uint32_t move,
                                           uint32_t expected);

// The owner `tid` of the lock dies: marks it and makes the next the owner.
void AbandonFutexLock(uint64_t address, int32_t tid);
// The thread is over and nobody finds it any more: who waits for what it owns gets it.
void AbandonAllFutexLocks(const Thread& thread);

}  // namespace nsgx::libos
