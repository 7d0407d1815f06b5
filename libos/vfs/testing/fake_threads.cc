// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/fake_threads.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "libos/kernel/wait.h"

namespace nsgx::libos {

// What sleeps on a wait queue here.
class Thread : public ListNode<> {
 public:
  std::mutex mutex;
  std::condition_variable changed;
  bool is_woken = false;
  bool has_signal = false;
  std::atomic<bool> is_asleep{false};
};

namespace {

thread_local Thread* current = nullptr;

Thread& CurrentThread() {
  // A thread of the test that was not made as FakeThread: the test's own.
  static thread_local Thread own;
  return current != nullptr ? *current : own;
}

}  // namespace

bool WaitQueue::is_empty() const { return sleepers_.is_empty(); }

uint32_t WaitQueue::Wake(uint32_t count) {
  uint32_t woken = 0;
  while (woken < count) {
    Thread* const thread = sleepers_.PopFront();
    if (thread == nullptr) {
      break;
    }
    std::lock_guard guard(thread->mutex);
    thread->is_woken = true;
    thread->changed.notify_all();
    ++woken;
  }
  return woken;
}

WakeReason Block(WaitQueue& queue, SpinLock& lock, Deadline deadline, bool interruptible) {
  Thread& self = CurrentThread();
  {
    std::lock_guard guard(self.mutex);
    self.is_woken = false;
  }
  queue.sleepers_.PushBack(self);
  self.is_asleep = true;
  lock.Unlock();
  {
    std::unique_lock guard(self.mutex);
    const auto is_over = [&] { return self.is_woken || (interruptible && self.has_signal); };
    if (deadline == kForever) {
      self.changed.wait(guard, is_over);
    } else {
      const uint64_t now = MonotonicNow();
      const auto left = std::chrono::nanoseconds(deadline > now ? deadline - now : 0);
      self.changed.wait_for(guard, left, is_over);
    }
  }
  lock.Lock();
  self.is_asleep = false;
  WakeReason reason = WakeReason::kWoken;
  if (self.is_linked()) {
    queue.sleepers_.Erase(self);
    std::lock_guard guard(self.mutex);
    reason = self.has_signal && interruptible ? WakeReason::kSignal : WakeReason::kTimeout;
    self.has_signal = self.has_signal && reason != WakeReason::kSignal;
  }
  lock.Unlock();
  return reason;
}

uint64_t MonotonicNow() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

namespace testing {

struct FakeThread::State {
  Thread thread;
};

FakeThread::FakeThread(std::function<void()> body)
    : state_(std::make_shared<State>()), thread_([state = state_, body = std::move(body)] {
        current = &state->thread;
        body();
        current = nullptr;
      }) {}

FakeThread::~FakeThread() { Join(); }

void FakeThread::Interrupt() {
  std::lock_guard guard(state_->thread.mutex);
  state_->thread.has_signal = true;
  state_->thread.changed.notify_all();
}

bool FakeThread::is_asleep() const { return state_->thread.is_asleep; }

void FakeThread::WaitUntilAsleep() {
  while (!is_asleep()) {
    std::this_thread::yield();
  }
}

void FakeThread::Join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

}  // namespace testing
}  // namespace nsgx::libos
