// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/image/guest_loop.h"

#include "base/core/spinlock.h"
#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/svsm.h"
#include "vmpl-switch/snp/image/seh.h"

namespace nsgx::snp {
namespace {

// Serves the call that `cpu` has made, if it has made one. Registers travel in the VMSA, which the
// guest can't reach.
void ServeCall(const GuestCpu& cpu, ProtocolTable& protocols) {
  snp_vmsa* vmsa = g_seh.memory.ObjectAt<snp_vmsa>(cpu.vmsa);
  if (static_cast<uint32_t>(vmsa->guest_exit_code) != SNP_EXIT_VMGEXIT) {
    return;
  }
  svsm_calling_area* area = g_seh.memory.ObjectAt<svsm_calling_area>(cpu.calling_area);
  // The host may run us without a call; and it can't make one up, because the guest alone writes
  // this byte.
  if (__atomic_load_n(&area->call_pending, __ATOMIC_ACQUIRE) != 1) {
    return;
  }
  // Meanwhile nobody can run this processor.
  __atomic_fetch_and(&vmsa->efer, ~SNP_EFER_SVME, __ATOMIC_SEQ_CST);
  CallContext context;
  context.registers = {vmsa->rcx, vmsa->rdx, vmsa->r8, vmsa->r9};
  context.calling_area = cpu.calling_area;
  context.vmsa = cpu.vmsa;
  const uint64_t rax = protocols.Serve(vmsa->rax, context);
  vmsa->rax = rax;
  vmsa->rcx = context.registers.rcx;
  vmsa->rdx = context.registers.rdx;
  vmsa->r8 = context.registers.r8;
  vmsa->r9 = context.registers.r9;
  // The area that the call came by, also if the guest has another one now; but not if it has given
  // the page away in this very call.
  if (GuestMayAccess(g_seh.pages.StateOf(cpu.calling_area))) {
    __atomic_store_n(&area->call_pending, uint8_t{0}, __ATOMIC_RELEASE);
  }
  __atomic_fetch_or(&vmsa->efer, SNP_EFER_SVME, __ATOMIC_SEQ_CST);
}

// What was waiting for the guest gets its turn now; from here on events are new ones.
void ForgetEvents() {
  PerCpu& cpu = ThisCpu();
  cpu.doorbell->per_vmpl_events = 0;
  cpu.doorbell->flags = 0;
  cpu.event_pending = 0;
}

}  // namespace

void ServeGuest(GuestCpus& cpus, ProtocolTable& protocols) {
  PerCpu& self = ThisCpu();
  for (;;) {
    if (!cpus.At(self.apic_id, 0).ok()) {
      // Whatever the host answers, and whenever.
      self.gate->Leave(GHCB_MSR_AP_RESET_HOLD_REQUEST);
      continue;
    }
    ForgetEvents();
    if (!RunVmpl(*self.gate, kGuestVmpl).ok()) {
      if (&self == &g_seh.first.cpu) {
        Terminate(Termination::kNoGuestProcessor);
      }
      // The guest has just taken it away.
      self.gate->Leave(GHCB_MSR_AP_RESET_HOLD_REQUEST);
      continue;
    }
    for (size_t i = 0;; ++i) {
      const Result<GuestCpu> cpu = cpus.ClaimAt(self.apic_id, i);
      if (cpu.ok()) {
        SpinLockGuard guard(g_seh.calls);
        ServeCall(cpu.value(), protocols);
        cpus.Unclaim(cpu.value().vmsa);
      } else if (cpu.error() == Status::kNotFound) {
        break;
      }
    }
  }
}

}  // namespace nsgx::snp
