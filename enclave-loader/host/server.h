// SPDX-License-Identifier: Apache-2.0
// Answers an enclave's host calls. The enclave is not believed either: every request is checked
// against its description, and data lies in the shared window or is not touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "enclave-loader/host/files.h"
#include "enclave-loader/host/parking.h"
#include "enclave-loader/host/sockets.h"
#include "enclave-loader/host/streams.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/device/device.h"

namespace nsgx::loader {

// What the server needs from the program around it.
class HostServerOwner {
 public:
  // Starts a host thread that enters `slot`. False: there is none to be had, or it runs already.
  virtual bool StartVcpu(uint32_t slot) = 0;
  // A line of the enclave for the operator; `level` as libos::host::LogLevel. It is untrusted text.
  virtual void Log(uint32_t level, std::string_view line) = 0;

 protected:
  ~HostServerOwner() = default;
};

// One for an enclave; used by all vCPU threads at once.
class HostServer {
 public:
  // Requires: all outlive the server.
  HostServer(Device& device, HostServerOwner& owner, HostFiles& files, uint32_t slot_count);

  // Answers the host call of `exit`, which slot `slot` made; the result is for the next Enter.
  // Waits only for kWait.
  int64_t Answer(uint32_t slot, const Exit& exit);

  // For the exits of the same names.
  void Idle(uint32_t slot, uint64_t deadline);
  void Wake(uint64_t slot);

  // A signal of shim::kOutsideSignals, for an enclave that takes them: kept until it asks.
  void Signal(int number);

  // How often each host call was made, by number; one more for numbers that do not exist.
  std::vector<uint64_t> counts() const;

 private:
  int64_t AnswerWithData(const shim::HostCallInfo& call, const shim::HostCallValues& values,
                         std::span<std::byte> window);
  int64_t Wait(uint32_t slot, std::span<const std::byte> records, std::span<std::byte> out,
               uint64_t deadline);
  int64_t AnswerSocket(shim::HostCall call, const shim::HostCallValues& values,
                       std::span<std::byte> data);
  int64_t CertificateChain(uint64_t offset, std::span<std::byte> out);
  uint64_t NanosecondsUntil(uint64_t deadline);

  Device& device_;
  HostServerOwner& owner_;
  HostFiles& files_;
  const Streams streams_;
  Sockets sockets_;
  std::atomic<uint32_t> signals_ = 0;  // that have come from outside
  std::vector<ParkingPlace> places_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
};

}  // namespace nsgx::loader
