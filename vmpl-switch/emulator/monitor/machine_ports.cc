// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/machine_ports.h"

namespace nsgx::emu {
namespace {

constexpr uint16_t kSleepEnable = 1 << 13;
constexpr uint8_t kKeyboardReset = 0xfe;
constexpr uint8_t kResetNow = 1 << 2;

}  // namespace

bool MachinePorts::IsGuarded(uint16_t port) {
  return port == kLogPort || port == kKeyboardPort || port == kPortA || port == kResetPort ||
         (port >= kDebugExitPort && port < kDebugExitPort + 4) ||
         (port >= kPowerPort && port < kPowerPort + 2) ||
         (port >= FwCfgGate::kHighPort && port < FwCfgGate::kEndPort);
}

std::optional<End> MachinePorts::Write(uint16_t port, unsigned size, uint32_t value,
                                       unsigned vmpl) {
  if (port >= FwCfgGate::kHighPort && port < FwCfgGate::kEndPort) {
    if (size == 4) {
      fw_cfg_.Write(port, value);
    }
    return std::nullopt;
  }
  const bool ends = (port >= kDebugExitPort && port < kDebugExitPort + 4) ||
                    (port == kPowerPort && size >= 2 && (value & kSleepEnable) != 0) ||
                    (port == kPowerPort + 1 && (value & kSleepEnable >> 8) != 0) ||
                    (port == kKeyboardPort && static_cast<uint8_t>(value) == kKeyboardReset) ||
                    (port == kResetPort && (value & kResetNow) != 0) ||
                    (port == kPortA && (value & 1) != 0);
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
  const bool is_ours =
      port == kLogPort || (port >= FwCfgGate::kHighPort && port < FwCfgGate::kEndPort);
  return is_ours ? ~uint32_t{0} : hardware_.ReadPort(port, size);
}

}  // namespace nsgx::emu
