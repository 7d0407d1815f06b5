// SPDX-License-Identifier: Apache-2.0
// The host threads that run an enclave: one for each vCPU, entering its slot again and again.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "enclave-loader/host/hostile.h"
#include "enclave-loader/host/server.h"
#include "vmpl-switch/device/device.h"

namespace nsgx::loader {

// Told once, by whichever thread sees the end; the process is expected to end in it.
class EndListener {
 public:
  // `outside_signal`: the signal to nsgx-run that has ended it; 0: it ended by itself.
  [[noreturn]] virtual void OnEnd(const Exit& exit, int outside_signal) = 0;
  virtual void OnLog(uint32_t level, std::string_view line) = 0;
  // After each host call; for traces.
  virtual void OnHostCall(uint32_t slot, const Exit& exit, int64_t answer) = 0;

 protected:
  ~EndListener() = default;
};

class Vcpus final : private HostServerOwner {
 public:
  // Requires: the enclave is initialised; all outlive this object.
  Vcpus(Device& device, EndListener& listener, HostFiles& files, const HostileOptions& hostile,
        uint32_t slot_count);

  // Runs slot 0 on the calling thread, and the others on threads of their own as the enclave asks
  // for them.
  [[noreturn]] void Run();

  // A signal from outside, for an enclave that takes it.
  void Signal(int number) { server_.Signal(number); }
  // Ends the enclave, wherever it is, as a signal ends a program.
  [[noreturn]] void EndBySignal(int number);

  const HostServer& server() const { return server_; }
  // Null when the host is honest.
  const HostileHost* hostile() const { return hostile_.has_value() ? &*hostile_ : nullptr; }

 private:
  bool StartVcpu(uint32_t slot) override;
  void Log(uint32_t level, std::string_view line) override;
  [[noreturn]] void RunSlot(uint32_t slot);
  static void* SlotThread(void* argument);
  [[noreturn]] void End(const Exit& exit, int outside_signal = 0);

  struct Slot {
    Vcpus* owner = nullptr;
    uint32_t index = 0;
    std::atomic<bool> started = false;
  };

  Device& device_;
  EndListener& listener_;
  HostServer server_;
  std::optional<HostileHost> hostile_;
  std::vector<Slot> slots_;
  std::atomic<bool> ended_ = false;
};

}  // namespace nsgx::loader
