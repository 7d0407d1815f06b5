// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "vmpl-switch/emulator/monitor/pvh.h"
#include "vmpl-switch/emulator/monitor/rmp.h"
#include "vmpl-switch/emulator/monitor/vmpl_context.h"

namespace nsgx::emu {

// A port by which tests in the guest talk to what tampers; on other machines nobody is there.
inline constexpr uint16_t kTamperingPort = 0x5f0;

// What a host does that means harm, at each place where it could. The emulated machine has none;
// tests have one (hostile_host.h).
class Tampering {
 public:
  // The launch is complete, VMPL0 has not run.
  virtual void AfterLaunch() = 0;

  // `context` is about to run. Returns the VMPL that is to run instead, if any.
  virtual std::optional<unsigned> BeforeEntry(VmplContext& context) = 0;

  // `context` has left. Returns true when that was the host's doing, and nothing is to be done.
  virtual bool TakesExit(VmplContext& context) = 0;

  // VMGEXIT by `context`. Returns true when it is answered: the host then does not hear of it.
  virtual bool AnswersCall(VmplContext& context) = 0;
  // The host has answered the call that came before.
  virtual void AfterCall() = 0;

  // `to` runs after `from`; the registers of both are where they belong.
  virtual void AfterSwitch(const VmplContext& from, const VmplContext& to) = 0;

  // A guest below VMPL0 writes to, or reads from, the port above.
  virtual void Hear(uint8_t value) = 0;
  virtual uint8_t Say() = 0;

  // The machine has ended, and nothing has been overwritten yet.
  virtual void AfterEnd() = 0;

 protected:
  ~Tampering() = default;
};

// Returns what tampers with this machine for ever, or null. Each of the monitor's builds links one.
Tampering* StartTampering(const StartInfo& info, const GuestMemory& memory, Rmp& rmp);

}  // namespace nsgx::emu
