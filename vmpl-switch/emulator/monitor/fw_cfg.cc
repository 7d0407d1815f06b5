// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/fw_cfg.h"

#include "base/core/log.h"

namespace nsgx::emu {
namespace {

constexpr uint32_t kControlError = 1 << 0;
constexpr uint32_t kControlRead = 1 << 1;
constexpr uint32_t kControlSkip = 1 << 2;
constexpr uint32_t kControlSelect = 1 << 3;
constexpr uint32_t kControlWrite = 1 << 4;
constexpr uint32_t kKnownControls = kControlRead | kControlSkip | kControlSelect | kControlWrite;

// Big-endian.
struct Access {
  uint32_t control;
  uint32_t length;
  uint64_t address;
};

// The device's own copy, so that nobody changes it between our look and the device's.
alignas(16) constinit Access g_access = {};

}  // namespace

void FwCfgGate::Write(uint16_t port, uint32_t value) {
  if (port == kHighPort) {
    high_ = __builtin_bswap32(value);
  } else if (port == kLowPort) {
    const uint64_t address = uint64_t{high_} << 32 | __builtin_bswap32(value);
    high_ = 0;
    Start(address);
  }
}

void FwCfgGate::Start(uint64_t address) {
  const Result<UntrustedBytes> descriptor = memory_.At(address, sizeof(Access));
  if (!descriptor.ok()) {
    LOG(kWarning, "fw_cfg: descriptor at ", Hex{address}, " is not in shared memory");
    return;
  }
  Access access = descriptor.value().CopyInObject<Access>(0).value();
  const uint32_t control = __builtin_bswap32(access.control);
  const uint32_t length = __builtin_bswap32(access.length);
  const uint64_t buffer = __builtin_bswap64(access.address);
  const bool moves_data = (control & (kControlRead | kControlWrite)) != 0 && length != 0;
  if ((control & 0xffff & ~kKnownControls) != 0 ||
      (moves_data && !memory_.At(buffer, length).ok())) {
    LOG(kWarning, "fw_cfg: ", length, " bytes at ", Hex{buffer}, " are not in shared memory");
    const uint32_t failed = __builtin_bswap32(kControlError);
    descriptor.value().CopyOutObject(0, failed).value();
    return;
  }
  g_access = access;
  const uint64_t own = reinterpret_cast<uintptr_t>(&g_access);
  hardware_.WritePort(kHighPort, 4, __builtin_bswap32(static_cast<uint32_t>(own >> 32)));
  hardware_.WritePort(kLowPort, 4, __builtin_bswap32(static_cast<uint32_t>(own)));
  // QEMU has done it when the write returns; the answer is 0 or the error bit.
  const volatile uint32_t& answer = g_access.control;
  descriptor.value().CopyOutObject(0, uint32_t{answer}).value();
}

}  // namespace nsgx::emu
