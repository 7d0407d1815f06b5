// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/emulator/firmware/guest_cpuid.h"
#include "vmpl-switch/emulator/firmware/secure_processor.h"
#include "vmpl-switch/emulator/monitor/end.h"
#include "vmpl-switch/emulator/monitor/ghcb_request.h"
#include "vmpl-switch/emulator/monitor/hardware.h"
#include "vmpl-switch/emulator/monitor/machine_ports.h"
#include "vmpl-switch/emulator/monitor/processors.h"
#include "vmpl-switch/emulator/monitor/shared_memory.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

// The hypervisor's side of the GHCB protocol, version 2, for the guest on one processor. What
// guests say is checked; guests must not believe what it answers.
class Host {
 public:
  // What a request wants of the processor.
  struct Outcome {
    std::optional<unsigned> run_vmpl;
    bool holds = false;  // until another processor releases this one
    std::optional<End> end;
  };

  // `self`: the processor, of `processors`.
  Host(Hardware& hardware, const GuestMemory& memory, Rmp& rmp, Processors& processors,
       unsigned self, firmware::SecureProcessor& firmware, const firmware::GuestCpuid& cpuid)
      : hardware_(hardware),
        memory_(memory),
        rmp_(rmp),
        shared_(memory, rmp),
        processors_(processors),
        contexts_(processors.At(self).contexts),
        firmware_(firmware),
        cpuid_(cpuid),
        ports_(hardware, shared_),
        counters_(processors.counters()) {}

  // VMGEXIT by `context`: answers what its GHCB MSR says.
  Outcome Call(VmplContext& context);

  // Says that a processor runs with the state of `context` from now on, or no longer.
  void SetRunning(const VmplContext& context, bool is_running);

  // Says that something waits for `vmpl`. Returns true when VMPL0 is to get #HV.
  bool RingDoorbell(VmplContext& context, unsigned vmpl);

  // For a VMPL that has the devices and asks for nothing.
  MachinePorts& ports() { return ports_; }

 private:
  Outcome CallByMsr(VmplContext& context);
  Outcome CallByPage(VmplContext& context);

  // Each answers in the page.
  void Cpuid(GhcbRequest& page);
  Outcome Port(GhcbRequest& page, VmplContext& context);
  void Msr(GhcbRequest& page);
  void ChangePageStates(GhcbRequest& page);
  void GuestRequest(GhcbRequest& page, bool is_extended);
  void CreateProcessor(GhcbRequest& page, const VmplContext& by);
  void Doorbell(GhcbRequest& page, VmplContext& context);
  void ApicIds(GhcbRequest& page);

  // Whether a processor takes the state of `context`.
  bool CanRun(const VmplContext& context) const;
  Result<void> ChangePageState(uint64_t page, uint64_t count, uint64_t operation);

  Hardware& hardware_;
  const GuestMemory& memory_;
  Rmp& rmp_;
  SharedMemory shared_;
  Processors& processors_;
  Contexts& contexts_;
  firmware::SecureProcessor& firmware_;
  const firmware::GuestCpuid& cpuid_;
  MachinePorts ports_;
  Counters& counters_;
};

}  // namespace nsgx::emu
