// SPDX-License-Identifier: Apache-2.0
// The machine below the monitor, for tests of what does not need it: devices take everything and
// say nothing, and there is no guest.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "vmpl-switch/emulator/monitor/hardware.h"

namespace nsgx::emu {

class NoHardware : public Hardware {
 public:
  void Enter(Vmcb&, GeneralRegisters&, bool) override { std::abort(); }
  bool TakeNmi() override { return false; }
  void SendNmi(unsigned) override {}
  void SendNmiToOthers() override {}
  void WaitForNmi() override { std::abort(); }
  void Pause() override {}
  void FlushDevices() override {}
  void SaveFx(FxState& state) override { state = {}; }
  void LoadFx(const FxState&) override {}
  uint64_t ReadDr(unsigned) override { return 0; }
  void WriteDr(unsigned, uint64_t) override {}
  uint64_t ReadTscAux() override { return 0; }
  void WriteTscAux(uint64_t) override {}
  uint32_t ReadPort(uint16_t, unsigned) override { return 0; }
  void WritePort(uint16_t, unsigned, uint32_t) override {}
};

}  // namespace nsgx::emu
