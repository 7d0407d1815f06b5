// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/switch.h"

#include <cstddef>

#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/sim/thread_block.h"
#include "vmpl-switch/sim/vcpu_page.h"

constinit nsgx::sim::SwitchState nsgx_sim_switch_state = {};

// Labels of switch_code.S.
// NOLINTNEXTLINE(bugprone-macro-parentheses): declares the name
#define NSGX_SIM_LABEL(name) [[gnu::visibility("hidden")]] extern char name[];
#define NSGX_SIM_ENTER(name)                                                               \
  [[gnu::visibility("hidden")]] void name(nsgx::sim::ThreadBlock* block, uint64_t answer); \
  NSGX_SIM_LABEL(name##_arrived)                                                           \
  NSGX_SIM_LABEL(name##_end)
#define NSGX_SIM_GATE(name)          \
  NSGX_SIM_LABEL(name)               \
  NSGX_SIM_LABEL(name##_leave)       \
  NSGX_SIM_LABEL(name##_seh)         \
  NSGX_SIM_LABEL(name##_seh_leave)   \
  NSGX_SIM_LABEL(name##_seh_arrived) \
  NSGX_SIM_LABEL(name##_end)

extern "C" {
NSGX_SIM_ENTER(nsgx_sim_enter_plain)
NSGX_SIM_ENTER(nsgx_sim_enter_keys)
NSGX_SIM_GATE(nsgx_sim_gate_plain_sse)
NSGX_SIM_GATE(nsgx_sim_gate_plain_avx)
NSGX_SIM_GATE(nsgx_sim_gate_plain_avx512)
NSGX_SIM_GATE(nsgx_sim_gate_keys_sse)
NSGX_SIM_GATE(nsgx_sim_gate_keys_avx)
NSGX_SIM_GATE(nsgx_sim_gate_keys_avx512)
NSGX_SIM_LABEL(nsgx_sim_switch_begin)
NSGX_SIM_LABEL(nsgx_sim_switch_end)
NSGX_SIM_LABEL(nsgx_sim_signal_entry)
NSGX_SIM_LABEL(nsgx_sim_sigreturn)
NSGX_SIM_LABEL(nsgx_sim_sigreturn_end)
NSGX_SIM_LABEL(nsgx_sim_forced_exit)
}

namespace nsgx::sim {
namespace {

uintptr_t AddressOfLabel(const char* label) { return reinterpret_cast<uintptr_t>(label); }

#define NSGX_SIM_CODE(enter_name, gate_name)                                                 \
  SwitchCode {                                                                               \
    .enter = (enter_name), .enter_arrived = AddressOfLabel(enter_name##_arrived),            \
    .enter_end = AddressOfLabel(enter_name##_end), .gate = AddressOfLabel(gate_name),        \
    .gate_leave = AddressOfLabel(gate_name##_leave), .seh = AddressOfLabel(gate_name##_seh), \
    .seh_leave = AddressOfLabel(gate_name##_seh_leave),                                      \
    .seh_arrived = AddressOfLabel(gate_name##_seh_arrived),                                  \
    .gate_end = AddressOfLabel(gate_name##_end),                                             \
  }

}  // namespace

SwitchCode ChooseSwitchCode(bool has_keys, VectorLevel level) {
  switch (level) {
    case VectorLevel::kSse:
      return has_keys ? NSGX_SIM_CODE(nsgx_sim_enter_keys, nsgx_sim_gate_keys_sse)
                      : NSGX_SIM_CODE(nsgx_sim_enter_plain, nsgx_sim_gate_plain_sse);
    case VectorLevel::kAvx:
      return has_keys ? NSGX_SIM_CODE(nsgx_sim_enter_keys, nsgx_sim_gate_keys_avx)
                      : NSGX_SIM_CODE(nsgx_sim_enter_plain, nsgx_sim_gate_plain_avx);
    case VectorLevel::kAvx512:
      return has_keys ? NSGX_SIM_CODE(nsgx_sim_enter_keys, nsgx_sim_gate_keys_avx512)
                      : NSGX_SIM_CODE(nsgx_sim_enter_plain, nsgx_sim_gate_plain_avx512);
  }
  __builtin_unreachable();
}

bool IsSwitchCode(uintptr_t rip) {
  return rip >= AddressOfLabel(nsgx_sim_switch_begin) && rip < AddressOfLabel(nsgx_sim_switch_end);
}

uintptr_t SignalEntry() { return AddressOfLabel(nsgx_sim_signal_entry); }
uintptr_t SigreturnBegin() { return AddressOfLabel(nsgx_sim_sigreturn); }
uintptr_t SigreturnEnd() { return AddressOfLabel(nsgx_sim_sigreturn_end); }
uintptr_t ForcedExit() { return AddressOfLabel(nsgx_sim_forced_exit); }

// layout.h in the words of the compiler.
static_assert(offsetof(ThreadBlock, magic) == SIM_BLOCK_MAGIC);
static_assert(offsetof(ThreadBlock, host_rsp) == SIM_BLOCK_HOST_RSP);
static_assert(offsetof(ThreadBlock, host_fs) == SIM_BLOCK_HOST_FS);
static_assert(offsetof(ThreadBlock, found_fs) == SIM_BLOCK_FOUND_FS);
static_assert(offsetof(ThreadBlock, slot) == SIM_BLOCK_SLOT);
static_assert(offsetof(ThreadBlock, pkru_inside) == SIM_BLOCK_PKRU_INSIDE);
static_assert(offsetof(ThreadBlock, selector) == SIM_BLOCK_SELECTOR);
static_assert(offsetof(ThreadBlock, has_keys) == SIM_BLOCK_HAS_KEYS);
static_assert(offsetof(ThreadBlock, exit) == SIM_BLOCK_EXIT);
static_assert(sizeof(ThreadBlock) <= SIM_BLOCK_STACK_OFFSET);
static_assert(offsetof(VcpuPage, slot) == SIM_VCPU_SLOT);
static_assert(offsetof(VcpuPage, block) == SIM_VCPU_BLOCK);
static_assert(offsetof(VcpuPage, host_calls) == SIM_VCPU_HOST_CALLS);
static_assert(offsetof(VcpuPage, found_rsp) == SIM_VCPU_FOUND_RSP);
static_assert(offsetof(VcpuPage, found_fs) == SIM_VCPU_FOUND_FS);
static_assert(offsetof(VcpuPage, call) == SIM_VCPU_CALL);
static_assert(sizeof(VcpuPage) <= SIM_VCPU_STRIDE - SIM_VCPU_PAGE_OFFSET);
static_assert(offsetof(SwitchState, vcpus) == SIM_STATE_VCPUS);
static_assert(offsetof(SwitchState, vcpu_limit) == SIM_STATE_VCPU_LIMIT);
static_assert(offsetof(SwitchState, pkru_host) == SIM_STATE_PKRU_HOST);
static_assert(offsetof(SwitchState, pkru_inside) == SIM_STATE_PKRU_INSIDE);
static_assert(sizeof(SwitchState) == 4096);
static_assert(SIM_HOST_CALL_LIMIT == NSGX_HOST_CALL_LIMIT);
static_assert(offsetof(nsgx_slot, machine) == NSGX_SLOT_MACHINE);

}  // namespace nsgx::sim
