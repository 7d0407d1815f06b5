// SPDX-License-Identifier: Apache-2.0
// How a thread sleeps inside the library OS: on a wait queue, with a deadline, interruptible by
// signals. No exit is made to block or to wake while a vCPU has other threads to run.
//
// Rules: code of the library OS runs with ticks off (slot.irq_off), so it is never preempted; it
// gives up the vCPU only in Block(). Locks are spin locks held for a few hundred instructions and
// never across Block(), which releases the one it is given.
#pragma once

#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"

namespace nsgx::libos {

class Thread;

enum class WakeReason : uint8_t { kWoken, kTimeout, kSignal };

// Monotonic nanoseconds; kForever never comes.
using Deadline = uint64_t;
inline constexpr Deadline kForever = ~Deadline{0};

class WaitQueue;

// Puts the current thread to sleep on `queue`. Requires: `lock` protects `queue` and is held; it is
// released once nobody can miss a wake-up, and is not held on return. kSignal: a signal that is not
// blocked arrived first (only if interruptible).
WakeReason Block(WaitQueue& queue, SpinLock& lock, Deadline deadline, bool interruptible)
    RELEASE(lock);

// A queue of sleeping threads, protected by a lock of its owner's.
class WaitQueue {
 public:
  constexpr WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  bool is_empty() const;
  // Makes up to `count` sleepers runnable, oldest first; returns how many. Requires: the owner's
  // lock.
  uint32_t Wake(uint32_t count);
  uint32_t WakeAll() { return Wake(~uint32_t{0}); }

 private:
  friend WakeReason Block(WaitQueue& queue, SpinLock& lock, Deadline deadline, bool interruptible);
  IntrusiveList<Thread> sleepers_;
};

// Monotonic nanoseconds now; never goes back, on any vCPU.
uint64_t MonotonicNow();

}  // namespace nsgx::libos
