// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/shared_memory.h"

namespace nsgx::emu {

// QEMU's fw_cfg moves data into memory by itself and knows no RMP; so guests reach its DMA only
// through this, which looks at each address first.
class FwCfgGate {
 public:
  static constexpr uint16_t kHighPort = 0x514;
  static constexpr uint16_t kLowPort = 0x518;
  static constexpr uint16_t kEndPort = 0x51c;

  FwCfgGate(Hardware& hardware, const SharedMemory& memory)
      : hardware_(hardware), memory_(memory) {}

  // A guest wrote 32 bits, as they are in the register (the device is big-endian).
  void Write(uint16_t port, uint32_t value);

 private:
  void Start(uint64_t address);

  Hardware& hardware_;
  const SharedMemory& memory_;
  uint32_t high_ = 0;
};

}  // namespace nsgx::emu
