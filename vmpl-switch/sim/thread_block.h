// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/sim/layout.h"

namespace nsgx::sim {

struct VcpuPage;

// What a host thread needs for entering enclaves; made when it first does. Lies at the base of
// SIM_BLOCK_SIZE bytes of ordinary memory, aligned to their size, the rest of which is the thread's
// alternate signal stack: so the signal entry finds it whoever was interrupted. The kernel writes
// here while the enclave's keys are in force, so it cannot be closed to enclaves.
struct ThreadBlock {
  uint64_t magic;
  uint64_t host_rsp;  // where the gate brings the thread back to
  uint64_t host_fs;
  uint64_t found_fs;  // FS of the interrupted; the last thing the signal entry puts back
  nsgx_slot* slot;    // of the vCPU that this thread runs
  uint32_t pkru_inside;
  // 1: inside an enclave, 0: in the host or in a SEH call. Linux reads it too (Syscall User
  // Dispatch in its selector form).
  volatile uint8_t selector;
  uint8_t has_keys;
  uint16_t reserved;
  std::array<uint64_t, 6> exit;  // the call that left, or SIM_EXIT_* with arguments
  // From here on of no interest to switch_code.S.
  VcpuPage* vcpu;        // null: has not entered yet
  int timer;             // Linux' id of the tick timer; -1: none
  uint32_t steps_left;   // instructions to step through before the next tick of the timer
  uint64_t step_random;  // state of the generator; 0: ticks are not followed by steps
  stack_t previous_stack;
  std::byte* room;  // the mapping that holds this block
};

}  // namespace nsgx::sim
