// SPDX-License-Identifier: Apache-2.0
// For tests of the server.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/core/check.h"
#include "vmpl-switch/device/device.h"

namespace nsgx::loader {

// A device with a window and a clock; it is never entered. Whoever reaches beyond the end of the
// window gets a signal.
class FakeDevice final : public Device {
 public:
  static constexpr size_t kWindowSize = 8192, kGuardSize = 65536;

  FakeDevice() {
    void* const memory =
        mmap(nullptr, kWindowSize + kGuardSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory, kWindowSize, PROT_READ | PROT_WRITE) == 0);
    window_ = std::span(static_cast<std::byte*>(memory), kWindowSize);
  }
  ~FakeDevice() override { munmap(window_.data(), kWindowSize + kGuardSize); }
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;

  std::string_view name() const override { return "fake"; }
  std::string_view limitations() const override { return ""; }
  Result<void> Create(const CreateOptions&) override { return Error(Status::kUnsupported); }
  Result<void> AddPages(uint64_t, uint32_t, const LoadSource&) override {
    return Error(Status::kUnsupported);
  }
  Result<void> AddZeroPages(uint64_t, uint32_t, uint64_t) override {
    return Error(Status::kUnsupported);
  }
  Result<void> Init(std::span<const std::byte>, std::span<const std::byte>) override {
    return Error(Status::kUnsupported);
  }
  Exit Enter(uint32_t, uint64_t) override { return {ExitReason::kRefused, 0, {}}; }
  std::span<std::byte> window(uint32_t) override { return window_; }
  Result<void> SetTick(uint32_t, uint32_t microseconds) override {
    tick = microseconds;
    return {};
  }
  Result<void> StepBehindTicks(uint32_t, uint64_t) override { return Error(Status::kUnsupported); }
  uint64_t Now() override { return now; }
  Result<void> CertificateChain(std::span<const std::byte>* der) override {
    *der = chain;
    return {};
  }
  Crash crash() const override { return {}; }
  DeviceStats stats() const override { return {}; }
  void identity(std::span<std::byte, 32>) const override {}

  uint64_t now = 1000;
  uint32_t tick = 0;
  std::vector<std::byte> chain;

 private:
  std::span<std::byte> window_;
};

}  // namespace nsgx::loader
