// SPDX-License-Identifier: Apache-2.0
// C++ side of switch_code.S.
#pragma once

#include <signal.h>
#include <ucontext.h>

#include <cstdint>

#include "vmpl-switch/sim/cpu.h"
#include "vmpl-switch/sim/layout.h"

namespace nsgx::sim {

struct ThreadBlock;
struct VcpuPage;

// What the gate reads before it believes anything: a page of its own, which becomes SEH memory once
// it is filled in.
struct alignas(4096) SwitchState {
  VcpuPage* vcpus;
  uint32_t vcpu_limit;
  uint32_t pkru_host;
  uint32_t pkru_inside;
};

// One variant of the switch, and those parts of it that run wholly in the enclave's state.
struct SwitchCode {
  void (*enter)(ThreadBlock* block, uint64_t answer);
  uintptr_t enter_arrived;
  uintptr_t enter_end;
  uintptr_t gate;
  uintptr_t gate_leave;
  uintptr_t seh;
  uintptr_t seh_leave;
  uintptr_t seh_arrived;
  uintptr_t gate_end;

  // Returns whether an exception at `rip` finds nothing but the enclave's own registers, so that
  // the enclave can handle it and go on.
  bool IsEnclaveState(uintptr_t rip) const {
    return (rip >= enter_arrived && rip < enter_end) || (rip >= gate && rip < gate_leave) ||
           (rip >= seh && rip < seh_leave) || (rip >= seh_arrived && rip < gate_end);
  }
};

// Returns the variant for a processor with or without protection keys and with this much vector
// state.
SwitchCode ChooseSwitchCode(bool has_keys, VectorLevel level);

// Returns whether `rip` lies in switch code, where no tick is delivered.
bool IsSwitchCode(uintptr_t rip);

// Addresses for the kernel: signal handler, its restorer, and the end of the restorer's system
// call.
uintptr_t SignalEntry();
uintptr_t SigreturnBegin();
uintptr_t SigreturnEnd();
// Where a thread continues that was inside and has to leave; see switch_code.S for the registers it
// expects.
uintptr_t ForcedExit();

}  // namespace nsgx::sim

extern "C" {
[[gnu::visibility("hidden")]] extern nsgx::sim::SwitchState nsgx_sim_switch_state;

// What switch_code.S calls; the comments there say in which state.
[[gnu::visibility("hidden")]] int64_t nsgx_sim_gate_call(nsgx::sim::VcpuPage* page);
[[gnu::visibility("hidden")]] void nsgx_sim_on_signal(int signal, siginfo_t* info,
                                                      ucontext_t* context,
                                                      nsgx::sim::ThreadBlock* block);
}
