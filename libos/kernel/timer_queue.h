// SPDX-License-Identifier: Apache-2.0
// Deadlines of the whole enclave: timeouts of sleeping threads and timers of the program. A pairing
// heap: arming costs two comparisons, and most timeouts are disarmed before they are due.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/core/spinlock.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

class TimerQueue;

// One deadline. Lives in whatever waits for it; must be disarmed before it goes away.
class Timer {
 public:
  // Runs when the deadline has passed, with the queue's lock held: it wakes threads or posts
  // signals and does not touch the queue. Returns when to be called again, or kForever.
  using Callback = Deadline (*)(Timer& timer, Deadline now);

  constexpr explicit Timer(Callback callback) : callback_(callback) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  friend class TimerQueue;
  Callback callback_;
  Deadline deadline_ = kForever;
  Timer* child_ = nullptr;
  Timer* next_ = nullptr;      // sibling
  Timer* previous_ = nullptr;  // sibling before, or the parent of a first child
  bool armed_ = false;
};

class TimerQueue {
 public:
  constexpr TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // Sets or moves the deadline of `timer`.
  void Arm(Timer& timer, Deadline deadline);
  // Takes the deadline away; afterwards the callback is not running and will not run. Returns the
  // deadline it had, or kForever.
  Deadline Disarm(Timer& timer);
  // Calls back every timer that is due; returns how many.
  uint32_t FireDue(Deadline now);

  // The next deadline; may be a moment old. kForever: none.
  Deadline earliest() const { return earliest_.load(std::memory_order_relaxed); }

 private:
  static Timer* Meld(Timer* a, Timer* b);
  static Timer* MergeSiblings(Timer* first);
  void Insert(Timer& timer) REQUIRES(lock_);
  void Remove(Timer& timer) REQUIRES(lock_);
  void PublishEarliest() REQUIRES(lock_);

  SpinLock lock_;
  Timer* root_ GUARDED_BY(lock_) = nullptr;
  std::atomic<Deadline> earliest_{kForever};
};

// The one of this enclave.
TimerQueue& Timers();

}  // namespace nsgx::libos
