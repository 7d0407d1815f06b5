// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/sim/vcpu_page.h"

namespace nsgx::sim {

// One thread slot of an enclave, seen from the host: owns its VcpuPage and SEH stack.
class Vcpu {
 public:
  // Makes the vCPU for `slot`, whose memory need not be there yet, number `slot_index` of the
  // enclave that `seh` answers for. It may make the host calls whose bits are set. Errors:
  // kNoMemory  all kMaxVcpus are in use, or Linux has no memory.
  static Result<Vcpu> Create(SehCalls& seh, uint32_t slot_index, nsgx_slot& slot,
                             const std::array<uint64_t, 2>& host_calls);
  Vcpu(Vcpu&& other) noexcept;
  Vcpu& operator=(Vcpu&&) = delete;
  // Requires: nobody is inside, and the thread that entered last has ended or gets no ticks.
  ~Vcpu();

  // Makes the next entry the slot's first: at `entry`, with the stack that ends at `stack_top`, rdi
  // = slot, everything else zero.
  void PrepareFirstEntry(uint64_t entry, uint64_t stack_top);

  // Runs the enclave on this thread until it leaves. Returns the call with which it left:
  // NSGX_GATE_* up to NSGX_GATE_DONE, or SIM_EXIT_*, and its arguments. `answer` is the result of
  // the call before. Requires: the thread is attached (`block`), and no other runs this vCPU.
  const std::array<uint64_t, 6>& Enter(ThreadBlock& block, uint64_t answer);

  VcpuCounters counters() const;
  VcpuCrash crash() const;

 private:
  Vcpu(uint32_t index, VcpuPage* page, nsgx_slot* slot) : index_(index), page_(page), slot_(slot) {}

  // Block and page name each other, or neither does.
  void Bind(ThreadBlock& block);
  void Unbind();

  uint32_t index_;  // in Process::vcpu_strides; kMaxVcpus: moved away
  VcpuPage* page_;  // SEH memory: only under SehAccess
  nsgx_slot* slot_;
};

// The address that slot.gate must have.
uint64_t GateAddress();

}  // namespace nsgx::sim
