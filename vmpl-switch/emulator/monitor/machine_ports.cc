// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/machine_ports.h"

namespace nsgx::emu {
namespace {

constexpr uint16_t kSleepEnable = 1 << 13;
constexpr uint8_t kKeyboardReset = 0xfe;
constexpr uint8_t kResetNow = 1 << 2;

bool IsFwCfg(uint16_t port) { return port >= FwCfgGate::kHighPort && port < FwCfgGate::kEndPort; }

}  // namespace

bool MachinePorts::IsGuarded(uint16_t port) {
  return port == kLogPort || port == kKeyboardPort || port == kPortA || port == kResetPort ||
         IsDebugExit(port) || (port >= kPowerPort && port < kPowerPort + 2) || IsFwCfg(port);
}

std::optional<End> MachinePorts::Write(uint16_t port, unsigned size, uint32_t value,
                                       unsigned vmpl) {
  if (IsFwCfg(port)) {
    if (size == 4) {
      fw_cfg_.Write(port, value);
    }
    return std::nullopt;
  }
  const bool ends =
      IsDebugExit(port) || (port == kPowerPort && size >= 2 && (value & kSleepEnable) != 0) ||
      (port == kPowerPort + 1 && (value & kSleepEnable >> 8) != 0) ||
      (port == kKeyboardPort && static_cast<uint8_t>(value) == kKeyboardReset) ||
      (port == kResetPort && (value & kResetNow) != 0) || (port == kPortA && (value & 1) != 0);
  if (ends) {
    return End{.kind = End::Kind::kPort,
               .vmpl = vmpl,
               .port = port,
               .size = static_cast<uint8_t>(size),
               .value = value};
  }
  if (port != kLogPort) {
    hardware_.WritePort(port, size, value);
  }
  return std::nullopt;
}

uint32_t MachinePorts::Read(uint16_t port, unsigned size) {
  return port == kLogPort || IsFwCfg(port) ? ~uint32_t{0} : hardware_.ReadPort(port, size);
}

}  // namespace nsgx::emu
