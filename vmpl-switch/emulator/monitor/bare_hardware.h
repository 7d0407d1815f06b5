// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vmpl-switch/emulator/monitor/dma_guard.h"
#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/iommu.h"

namespace nsgx::emu {

// The real thing: the processor and the ports that QEMU gives us.
class BareHardware final : public Hardware {
 public:
  void Enter(Vmcb& vmcb, GeneralRegisters& registers, bool takes_interrupts) override;
  bool TakeNmi() override;
  void SendNmi(unsigned processor) override;
  void SendNmiToOthers() override;
  void WaitForNmi() override;
  void Pause() override;
  void FlushDevices() override;
  void SaveFx(FxState& state) override;
  void LoadFx(const FxState& state) override;
  uint64_t ReadDr(unsigned number) override;
  void WriteDr(unsigned number, uint64_t value) override;
  uint64_t ReadTscAux() override;
  void WriteTscAux(uint64_t value) override;
  uint32_t ReadPort(uint16_t port, unsigned size) override;
  void WritePort(uint16_t port, unsigned size, uint32_t value) override;

  // Devices go through the tables of `guard` from now on. Returns false when the machine has no
  // IOMMU, and devices reach all memory.
  bool StartIommu(DmaGuard& guard);

  // How many processors QEMU has made.
  unsigned CountProcessors();
  // Lets all others begin (MonitorOther). Requires: nobody uses the page at kTrampoline meanwhile.
  void StartOthers();
  // The page has what it had before. Requires: all others have begun.
  void RestoreTrampoline();

  // ---- on each processor ----
  // Switches SVM on, and GIF off for good. `save_area`: a page that the processor uses from now on.
  void StartSvm(uint64_t save_area);
  // Exceptions of our own end the machine with a line.
  void StartExceptions();

 private:
  DmaGuard* guard_ = nullptr;
  Iommu iommu_;
};

}  // namespace nsgx::emu
