// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/firmware/secure_processor.h"
#include "vmpl-switch/emulator/monitor/counters.h"
#include "vmpl-switch/emulator/monitor/end.h"
#include "vmpl-switch/emulator/monitor/exits.h"
#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/host.h"
#include "vmpl-switch/emulator/monitor/intercepts.h"
#include "vmpl-switch/emulator/monitor/nested_tables.h"
#include "vmpl-switch/emulator/monitor/paranoia.h"
#include "vmpl-switch/emulator/monitor/processors.h"
#include "vmpl-switch/emulator/monitor/snp_instructions.h"
#include "vmpl-switch/emulator/monitor/tampering.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

struct VmcbPages {
  Vmcb pages[kVmpls];
};

// Plays processor, firmware and host for one virtual processor with several VMPLs: number `self` of
// `processors`.
class Monitor {
 public:
  Monitor(Hardware& hardware, const GuestMemory& memory, Rmp& rmp, NestedTables& tables,
          Processors& processors, unsigned self, firmware::SecureProcessor& firmware,
          const firmware::GuestCpuid& cpuid, Paranoia& paranoia, const InterceptMaps& maps,
          VmcbPages& vmcbs);

  // From now on `tampering` is asked, too. Requires: it stays for ever; its port is guarded.
  void SetTampering(Tampering& tampering);

  // Starts VMPL0 with the state in `vmsa`, a page that no guest can reach, and runs the processor
  // to the end of the machine.
  End Run(snp_vmsa& vmsa);
  // The same for a processor that is held until another one starts it.
  End RunWhenReleased();

  // Overwrites what the monitor and the processor still hold of the guest's registers.
  //
  // Requires: on this processor, after it has run.
  void Scrub();

 private:
  using MaybeEnd = std::optional<End>;

  VmplContext& current() { return contexts_[processor_.current]; }
  GuestSpace Space(VmplContext& context) {
    return GuestSpace(memory_, rmp_, context.vmpl, context.vmcb->save);
  }

  void Load(VmplContext& context);
  void Store(VmplContext& context);
  void SwitchTo(unsigned vmpl);
  // Waits until another processor releases this one, or the machine ends.
  void Hold();
  End RunToTheEnd();
  // Leaves the run in `current`; an end when there is no way in.
  MaybeEnd Enter();
  // An NMI that is not ours waits for the VMPL that has the devices.
  void KeepGuestNmi();
  MaybeEnd HandleExit();

  void HandleInterrupt(VmplContext& context);
  MaybeEnd HandleInvalidOpcode(VmplContext& context);
  void HandleBroadcast(VmplContext& context, const Decoded& decoded);
  MaybeEnd HandleSnpInstruction(VmplContext& context, const Decoded& decoded);
  void HandleCr0(VmplContext& context);
  void HandleMsr(VmplContext& context);
  MaybeEnd HandleHypercall(VmplContext& context);
  MaybeEnd HandlePort(VmplContext& context);
  MaybeEnd HandleNestedFault(VmplContext& context);

  MaybeEnd Reflect(VmplContext& context, uint64_t code);
  MaybeEnd Deny(VmplContext& context, RmpFault fault, Page page);
  void Raise(VmplContext& context, uint32_t vector, std::optional<uint32_t> error_code);
  Decoded DecodeAtRip(VmplContext& context);

  Hardware& hardware_;
  const GuestMemory& memory_;
  Rmp& rmp_;
  NestedTables& tables_;
  Paranoia& paranoia_;
  Tampering* tampering_ = nullptr;
  Processors& processors_;
  unsigned self_;
  VirtualProcessor& processor_;
  Contexts& contexts_;
  Counters& counters_;
  Host host_;
  // A device wants VMPL1, and VMPL0 has been told; it is not asked again until VMPL1 has run.
  bool device_waits_ = false;
};

}  // namespace nsgx::emu
