// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/registers.h"

namespace nsgx::emu {

// The machine below the monitor: what is said of "the processor" is said of the one that calls.
// There is one; tests bring another.
class Hardware {
 public:
  // Runs the guest until it exits, with the registers that VMRUN moves and those it does not.
  // `takes_interrupts`: whether a device may end the run, if the guest's intercepts say so.
  virtual void Enter(Vmcb& vmcb, GeneralRegisters& registers, bool takes_interrupts) = 0;

  // Whether an NMI has come since it was last asked. None comes but while a guest runs or the
  // processor sleeps; until then it waits.
  virtual bool TakeNmi() = 0;
  // To another processor. QEMU loses one now and then, and a guest may have given its interrupt
  // controller another number.
  virtual void SendNmi(unsigned processor) = 0;
  // To all others, whatever their numbers.
  virtual void SendNmiToOthers() = 0;
  // Sleeps until one has come.
  virtual void WaitForNmi() = 0;
  // Takes a moment, in a loop that waits for another processor.
  virtual void Pause() = 0;

  // Devices forget what they may not reach any more.
  virtual void FlushDevices() = 0;

  // What is in the processor and in no VMCB.
  virtual void SaveFx(FxState& state) = 0;
  virtual void LoadFx(const FxState& state) = 0;
  virtual uint64_t ReadDr(unsigned number) = 0;
  virtual void WriteDr(unsigned number, uint64_t value) = 0;
  virtual uint64_t ReadTscAux() = 0;
  virtual void WriteTscAux(uint64_t value) = 0;

  // `size`: 1, 2 or 4.
  virtual uint32_t ReadPort(uint16_t port, unsigned size) = 0;
  virtual void WritePort(uint16_t port, unsigned size, uint32_t value) = 0;

 protected:
  ~Hardware() = default;
};

}  // namespace nsgx::emu
