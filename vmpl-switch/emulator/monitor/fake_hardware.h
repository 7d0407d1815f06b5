// SPDX-License-Identifier: Apache-2.0
// The machine below the monitor, for tests: guests are scripts, ports a list of what was written.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "vmpl-switch/emulator/monitor/hardware.h"

namespace nsgx::emu {

class FakeHardware final : public Hardware {
 public:
  // One run of a guest: looks at what it is entered with, changes its registers, and leaves an
  // exit.
  using Step = std::function<void(Vmcb& vmcb, GeneralRegisters& registers, bool takes_interrupts)>;

  struct PortWrite {
    uint16_t port;
    unsigned size;
    uint32_t value;

    friend bool operator==(const PortWrite&, const PortWrite&) = default;
  };

  void Enter(Vmcb& vmcb, GeneralRegisters& registers, bool takes_interrupts) override {
    ASSERT_LT(next, steps.size()) << "the guest runs on";
    steps[next++](vmcb, registers, takes_interrupts);
  }
  bool TakeNmi() override { return std::exchange(nmi, false); }
  void SendNmi(unsigned processor) override { nmis.push_back(processor); }
  void SendNmiToOthers() override { FAIL() << "none was lost"; }
  void WaitForNmi() override { FAIL() << "nobody would wake it"; }
  void Pause() override { FAIL() << "nobody would move"; }
  void FlushDevices() override {}
  void SaveFx(FxState& state) override { state = fx; }
  void LoadFx(const FxState& state) override { fx = state; }
  uint64_t ReadDr(unsigned number) override { return dr[number]; }
  void WriteDr(unsigned number, uint64_t value) override { dr[number] = value; }
  uint64_t ReadTscAux() override { return tsc_aux; }
  void WriteTscAux(uint64_t value) override { tsc_aux = value; }
  uint32_t ReadPort(uint16_t port, unsigned) override { return inputs[port]; }
  void WritePort(uint16_t port, unsigned size, uint32_t value) override {
    outputs.push_back({port, size, value});
  }

  std::vector<Step> steps;
  size_t next = 0;
  bool nmi = false;
  std::vector<unsigned> nmis;  // sent, to whom
  FxState fx = {};
  uint64_t dr[4] = {};
  uint64_t tsc_aux = 0;
  std::map<uint16_t, uint32_t> inputs;
  std::vector<PortWrite> outputs;
};

}  // namespace nsgx::emu
