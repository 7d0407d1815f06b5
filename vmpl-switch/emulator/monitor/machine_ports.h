// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "vmpl-switch/emulator/monitor/end.h"
#include "vmpl-switch/emulator/monitor/fw_cfg.h"
#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/shared_memory.h"

namespace nsgx::emu {

// Ports of the machine that are more than a device's.
inline constexpr uint16_t kLogPort = 0xe9;        // the monitor's own log
inline constexpr uint16_t kDebugExitPort = 0xf4;  // ends QEMU
inline constexpr uint16_t kKeyboardPort = 0x64;   // 0xfe resets
inline constexpr uint16_t kPortA = 0x92;          // bit 0 resets
inline constexpr uint16_t kPowerPort = 0x604;     // ACPI, PM1a control
inline constexpr uint16_t kResetPort = 0xcf9;

constexpr bool IsDebugExit(uint16_t port) {
  return port >= kDebugExitPort && port < kDebugExitPort + 4;
}

// Ports as guests have them: devices' are QEMU's, but nobody ends the machine, reaches memory by
// fw_cfg or writes to our log without us.
class MachinePorts {
 public:
  MachinePorts(Hardware& hardware, const SharedMemory& memory)
      : hardware_(hardware), fw_cfg_(hardware, memory) {}

  // `size`: 1, 2 or 4. `vmpl`: who writes; an end says so.
  std::optional<End> Write(uint16_t port, unsigned size, uint32_t value, unsigned vmpl);
  uint32_t Read(uint16_t port, unsigned size);

  // True when a guest's access to this port must come here; the others are devices' alone.
  static bool IsGuarded(uint16_t port);

 private:
  Hardware& hardware_;
  FwCfgGate fw_cfg_;
};

}  // namespace nsgx::emu
