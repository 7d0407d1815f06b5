// SPDX-License-Identifier: Apache-2.0
// A slot whose gate leads to a test: the real stubs against a host that answers whatever it wants.
#pragma once

#include <asm/prctl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos::host {

struct GateCall {
  uint64_t call;
  std::array<uint64_t, 5> a;
};

// A slot whose gate leads to a function of the test. There is one at a time, on the thread that
// makes it.
class FakeHost {
 public:
  using Answer = std::function<int64_t(const GateCall&, std::span<std::byte> window)>;

  explicit FakeHost(size_t window_size = 4096) : window_(window_size) {
    slot_.self = reinterpret_cast<uint64_t>(&slot_);
    slot_.gate = reinterpret_cast<uint64_t>(&Gate);
    slot_.window = reinterpret_cast<uint64_t>(window_.data());
    slot_.window_size = window_.size();
    slot_.irq_off = 1;
    now_ = this;
    EXPECT_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, &slot_), 0);
  }
  ~FakeHost() {
    syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
    now_ = nullptr;
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  // What a host call is answered from now on; without it, and for calls other than host calls, 0.
  void set_answer(Answer answer) { answer_ = std::move(answer); }
  void AnswerWith(int64_t reply) {
    set_answer([reply](const GateCall&, std::span<std::byte>) { return reply; });
  }

  // Calls of log are answered like all others, instead of being remembered.
  void AnswerLogToo() { answers_log_ = true; }

  const std::vector<GateCall>& calls() const { return calls_; }
  const std::vector<std::string>& log_lines() const { return log_lines_; }

 private:
  static int64_t Gate(uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                      uint64_t a4) {
    return now_->Call({call, {a0, a1, a2, a3, a4}});
  }

  int64_t Call(const GateCall& call) {
    calls_.push_back(call);
    if (call.call != NSGX_GATE_HOST_CALL) {
      return 0;
    }
    if (call.a[0] == static_cast<uint64_t>(shim::HostCall::kLog) && !answers_log_) {
      log_lines_.emplace_back(reinterpret_cast<const char*>(window_.data()), call.a[2]);
      return 0;
    }
    return answer_ ? answer_(call, window_) : 0;
  }

  static inline FakeHost* now_ = nullptr;
  nsgx_slot slot_ = {};
  std::vector<std::byte> window_;
  Answer answer_;
  std::vector<GateCall> calls_;
  std::vector<std::string> log_lines_;
  bool answers_log_ = false;
};

}  // namespace nsgx::libos::host
