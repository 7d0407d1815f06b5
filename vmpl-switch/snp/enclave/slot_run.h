// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/snp/enclave/enclave_context.h"

namespace nsgx::snp {

// One turn of one slot: ring 3 runs, and what it does is answered here, until the guest is needed.
// The slot is claimed and the enclave's space active from its beginning to its end.
class SlotRun {
 public:
  SlotRun(EnclaveContext& enclave, uint32_t slot)
      : context_(enclave),
        index_(slot),
        slot_(enclave.slots_[slot]),
        state_(*slot_.state),
        frame_(state_.frame) {}

  // Errors: kBadState  the enclave has ended by the doing of another slot.
  Result<nsgx_seh_exit> Run(uint64_t answer, bool is_tick);

 private:
  using SlotWaits = EnclaveContext::SlotWaits;

  // Why ring 3 does not go on; `leaves` false: it does.
  struct Step {
    bool leaves = false;
    nsgx_seh_exit exit = {};
  };
  static constexpr Step GoOn() { return {}; }

  Step Begin(uint64_t answer, bool is_tick);
  void Tick(bool was_interrupted);
  Step Handle(const Ring3Event& event);
  Step Syscall();
  Step GateCall(bool again);
  Step LeaveBy(uint64_t call);
  Step SehCall(uint64_t call, bool again);
  void Return(int64_t result);
  Step Exception(uint64_t cause, const Ring3Event& event);
  Step PageFault(const Ring3Event& event, bool again);
  Step GeneralProtection(const Ring3Event& event);
  bool IsAtRip(const std::array<std::byte, 2>& wanted);
  Step InvalidOpcode(const Ring3Event& event);
  Step VmmCommunication(const Ring3Event& event);
  void Deliver(uint64_t cause, const Ring3Event& event);
  Step Leave(uint32_t reason, SlotWaits waits);
  Step AskForPages(SlotWaits waits);
  Step End(uint64_t cause, const Ring3Event& event);

  std::span<std::byte> extended() {
    return std::span(state_.extended).first(context_.hardware_.extended_state().size);
  }
  nsgx_slot& block();

  EnclaveContext& context_;
  const uint32_t index_;
  EnclaveContext::Slot& slot_;
  Ring3State& state_;
  TrapFrame& frame_;
};

}  // namespace nsgx::snp
