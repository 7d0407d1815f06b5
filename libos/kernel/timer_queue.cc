// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/timer_queue.h"

#include "base/core/check.h"

namespace nsgx::libos {

// Both are roots without siblings; null is the empty heap.
Timer* TimerQueue::Meld(Timer* a, Timer* b) {
  if (a == nullptr) {
    return b;
  }
  if (b == nullptr) {
    return a;
  }
  if (b->deadline_ < a->deadline_) {
    Timer* swap = a;
    a = b;
    b = swap;
  }
  b->next_ = a->child_;
  if (b->next_ != nullptr) {
    b->next_->previous_ = b;
  }
  b->previous_ = a;
  a->child_ = b;
  return a;
}

// The usual two passes: pairs from left to right, then the pairs from right to left.
Timer* TimerQueue::MergeSiblings(Timer* first) {
  Timer* pairs = nullptr;  // linked through next_, last pair first
  while (first != nullptr) {
    Timer* a = first;
    Timer* b = a->next_;
    first = b != nullptr ? b->next_ : nullptr;
    a->next_ = a->previous_ = nullptr;
    if (b != nullptr) {
      b->next_ = b->previous_ = nullptr;
    }
    Timer* pair = Meld(a, b);
    pair->next_ = pairs;
    pairs = pair;
  }
  Timer* root = nullptr;
  while (pairs != nullptr) {
    Timer* rest = pairs->next_;
    pairs->next_ = nullptr;
    root = Meld(root, pairs);
    pairs = rest;
  }
  return root;
}

void TimerQueue::Insert(Timer& timer) {
  timer.armed_ = true;
  root_ = Meld(root_, &timer);
}

void TimerQueue::Remove(Timer& timer) {
  CHECK(timer.armed_);
  timer.armed_ = false;
  if (&timer == root_) {
    root_ = MergeSiblings(timer.child_);
  } else {
    if (timer.previous_->child_ == &timer) {
      timer.previous_->child_ = timer.next_;
    } else {
      timer.previous_->next_ = timer.next_;
    }
    if (timer.next_ != nullptr) {
      timer.next_->previous_ = timer.previous_;
    }
    root_ = Meld(root_, MergeSiblings(timer.child_));
  }
  timer.child_ = timer.next_ = timer.previous_ = nullptr;
}

void TimerQueue::PublishEarliest() {
  earliest_.store(root_ != nullptr ? root_->deadline_ : kForever, std::memory_order_relaxed);
}

void TimerQueue::Arm(Timer& timer, Deadline deadline) {
  SpinLockGuard guard(lock_);
  if (timer.armed_) {
    Remove(timer);
  }
  timer.deadline_ = deadline;
  if (deadline != kForever) {
    Insert(timer);
  }
  PublishEarliest();
}

Deadline TimerQueue::Disarm(Timer& timer) {
  SpinLockGuard guard(lock_);
  if (!timer.armed_) {
    return kForever;
  }
  Remove(timer);
  PublishEarliest();
  return timer.deadline_;
}

uint32_t TimerQueue::FireDue(Deadline now) {
  if (now < earliest()) {
    return 0;
  }
  SpinLockGuard guard(lock_);
  uint32_t fired = 0;
  while (root_ != nullptr && root_->deadline_ <= now) {
    Timer& timer = *root_;
    Remove(timer);
    const Deadline again = timer.callback_(timer, now);
    ++fired;
    if (again != kForever) {
      // A period shorter than the pace of this loop must not keep it here for ever.
      timer.deadline_ = again > now ? again : now + 1;
      Insert(timer);
    }
  }
  PublishEarliest();
  return fired;
}

namespace {
constinit TimerQueue timers;
}  // namespace

TimerQueue& Timers() { return timers; }

}  // namespace nsgx::libos
