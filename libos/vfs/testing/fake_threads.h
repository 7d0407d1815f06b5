// SPDX-License-Identifier: Apache-2.0
// Threads of the program in a test: threads of the test that sleep on wait queues as the scheduler
// has it, and what else the kernel does for a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace nsgx::libos::testing {

// A thread that may be interrupted by a signal. Joined at the latest when it goes out of scope.
class FakeThread {
 public:
  explicit FakeThread(std::function<void()> body);
  ~FakeThread();
  FakeThread(const FakeThread&) = delete;
  FakeThread& operator=(const FakeThread&) = delete;

  // A signal arrives: ends the interruptible sleep that the thread is in, or is about to enter.
  void Interrupt();
  // Returns once the thread sleeps.
  void WaitUntilAsleep();
  bool is_asleep() const;
  void Join();

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

// Signals that the calling thread was sent by RaiseOnCurrentThread, in all, and the last one.
struct RaisedSignals {
  uint32_t count;
  int32_t last;
};
RaisedSignals raised_signals();
// What BlockSignalsUntilReturn was last called with; and whether it was.
struct SignalMask {
  bool was_set;
  uint64_t mask;
};
SignalMask last_signal_mask();
void ResetServices();

}  // namespace nsgx::libos::testing
