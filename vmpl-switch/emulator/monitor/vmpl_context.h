// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "vmpl-switch/emulator/monitor/events.h"
#include "vmpl-switch/emulator/monitor/memory.h"
#include "vmpl-switch/emulator/monitor/registers.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

// One virtual processor as one VMPL has it.
struct VmplContext {
  unsigned vmpl = 0;
  Vmcb* vmcb = nullptr;
  GeneralRegisters registers = {};
  FxState fx = {};
  std::array<uint64_t, 4> dr = {};
  uint64_t tsc_aux = 0;

  // Where the state is while another VMPL runs: private memory of the guest's, or for the state of
  // the launch a page that no guest has.
  snp_vmsa* vmsa = nullptr;
  std::optional<Page> vmsa_page;

  uint64_t sev_features = 0;
  uint64_t ghcb_msr = 0;
  std::optional<uint64_t> registered_ghcb;
  std::optional<Page> doorbell;

  PendingEvents pending;
  bool in_nmi = false;  // it has got an NMI from us and has not returned from it
  uint64_t entered_generation = 0;

  LiveState live() {
    return {
        .save = &vmcb->save, .registers = &registers, .fx = &fx, .dr = &dr, .tsc_aux = &tsc_aux};
  }
};

using Contexts = std::array<VmplContext, kVmpls>;

// One virtual processor, as its host knows it.
struct VirtualProcessor {
  Contexts contexts;
  unsigned current = 0;  // the VMPL that runs, or ran last
  bool is_held = true;   // waits for AP creation; all of its state is in VMSAs
  // A VMPL was created here before the processor asked for a hold: it would sleep through that.
  bool is_wanted = false;
};

}  // namespace nsgx::emu
