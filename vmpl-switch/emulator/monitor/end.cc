// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/end.h"

#include <string_view>

#include "base/core/log.h"
#include "vmpl-switch/emulator/monitor/machine_ports.h"

namespace nsgx::emu {
namespace {

// Attacks are looked for in the log by these words.
std::string_view PortName(uint16_t port) {
  if (IsDebugExit(port)) {
    return "debug exit";
  }
  return port == kPowerPort || port == kPowerPort + 1 ? "power off" : "reset";
}

}  // namespace

void LogEnd(const End& end) {
  switch (end.kind) {
    case End::Kind::kPort:
      LOG(kNotice, "end: ", PortName(end.port), " by VMPL", end.vmpl, ", port ", Hex{end.port},
          " value ", Hex{end.value});
      return;
    case End::Kind::kTerminated:
      LOG(kNotice, "end: VMPL", end.vmpl, " terminated itself, set ", end.details[0], " reason ",
          Hex{end.details[1]});
      return;
    case End::Kind::kShutdown:
      LOG(kNotice, "end: VMPL", end.vmpl, " shut down (triple fault), rip ", Hex{end.details[0]},
          " cr2 ", Hex{end.details[1]});
      return;
    case End::Kind::kHalted:
      LOG(kNotice, "end: VMPL", end.vmpl, " halted for ever, rip ", Hex{end.details[0]});
      return;
    case End::Kind::kAccess:
      LOG(kNotice, "end: VMPL", end.vmpl, " cannot continue without ", Hex{end.details[1]},
          ", rip ", Hex{end.details[0]});
      return;
    case End::Kind::kState:
      LOG(kNotice, "end: the processor refuses the state of VMPL", end.vmpl, ", rip ",
          Hex{end.details[0]}, " cr0 ", Hex{end.details[1]});
      return;
    case End::Kind::kMonitor:
      LOG(kNotice, "end: the monitor found a fault of its own, VMPL", end.vmpl);
      return;
  }
}

}  // namespace nsgx::emu
