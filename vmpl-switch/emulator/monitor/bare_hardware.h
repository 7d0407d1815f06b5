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
  void SaveFx(FxState& state) override;
  void LoadFx(const FxState& state) override;
  uint64_t ReadDr(unsigned number) override;
  void WriteDr(unsigned number, uint64_t value) override;
  uint64_t ReadTscAux() override;
  void WriteTscAux(uint64_t value) override;
  uint32_t ReadPort(uint16_t port, unsigned size) override;
  void WritePort(uint16_t port, unsigned size, uint32_t value) override;

  // Devices go through the tables of `guard` from now on; the IOMMU is told of changes before each
  // entry. Returns false when the machine has no IOMMU, and devices reach all memory.
  bool StartIommu(DmaGuard& guard);

  // Switches SVM on. `save_area`: a page that the processor uses from now on.
  void StartSvm(uint64_t save_area);
  // Exceptions of our own end the machine with a line.
  void StartExceptions();

 private:
  DmaGuard* guard_ = nullptr;
  Iommu iommu_;
};

}  // namespace nsgx::emu
