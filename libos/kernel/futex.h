// SPDX-License-Identifier: Apache-2.0
// Futexes: sleeping on a word of the program's memory. Private and shared are the same here: there
// is one address space, and a futex is its address.
#pragma once

#include <cstdint>
#include <span>

#include "libos/kernel/errno.h"
#include "libos/kernel/thread.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

inline constexpr uint32_t kFutexMatchAny = ~uint32_t{0};

// What the word of a robust or owned futex holds besides its owner's thread id.
inline constexpr uint32_t kFutexWaiters = 0x80000000, kFutexOwnerDied = 0x40000000,
                          kFutexTidMask = 0x3fffffff;

// Sleeps while the word at `address` is `expected`, until a wake-up that has a bit of `bitset`, the
// deadline or a signal. EAGAIN: the word is another; ETIMEDOUT, EINTR, EFAULT, EINVAL (unaligned,
// or no bits).
Result<void, Errno> FutexWait(uint64_t address, uint32_t expected, uint32_t bitset,
                              Deadline deadline);

// One of several futexes that a thread sleeps on at once.
struct FutexChoice {
  uint64_t address;
  uint32_t expected;
};
inline constexpr uint32_t kMaxFutexChoices = 128;

// FutexWait on all `choices`, 1..kMaxFutexChoices of them, aligned; returns the index of one that
// was woken. ENOMEM besides.
Result<uint32_t, Errno> FutexWaitAny(std::span<const FutexChoice> choices, Deadline deadline);

// Wakes up to `count` sleepers, oldest first; returns how many. Not those that wait to become
// owners, see futex_lock.h.
uint32_t FutexWake(uint64_t address, uint32_t count, uint32_t bitset = kFutexMatchAny);

// Wakes up to `wake` sleepers of `from` and moves up to `move` more to `to`, which wakes nobody by
// itself. `expected`, if not null: EAGAIN when the word at `from` is another. Returns how many were
// woken or moved.
Result<uint32_t, Errno> FutexRequeue(uint64_t from, uint32_t wake, uint64_t to, uint32_t move,
                                     const uint32_t* expected);

// FUTEX_WAKE_OP: changes the word at `second` as `operation` says, wakes sleepers of `first`, and
// those of `second` if its old value compares as `operation` says.
Result<uint32_t, Errno> FutexWakeOperation(uint64_t first, uint32_t wake_first, uint64_t second,
                                           uint32_t wake_second, uint32_t operation);

// The thread dies: futexes on its robust list are marked and their next owner is woken.
void ReleaseRobustFutexes(Thread& thread);

}  // namespace nsgx::libos
