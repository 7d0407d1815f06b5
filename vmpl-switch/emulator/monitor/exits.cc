// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/exits.h"

#include "vmpl-switch/abi/snp.h"
#include "vmpl-switch/emulator/monitor/registers.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

bool IsServedMsr(uint32_t number) {
  return number == SNP_MSR_GHCB || number == SNP_MSR_SEV_STATUS || number == kMsrEfer;
}

ExitAction Route(const ExitView& exit) {
  if (static_cast<uint32_t>(exit.code) == kExitInvalid) {
    return ExitAction::kInvalidState;
  }
  switch (exit.code) {
    case SNP_EXIT_INTR:
      return ExitAction::kInterrupt;
    case kExitNmi:
      return ExitAction::kNmi;
    case kExitVintr:
      return ExitAction::kWindow;
    case kExitIret:
      return ExitAction::kIret;
    case kExitInvalidOpcode:
      return ExitAction::kDecodeInvalid;
    case kExitWriteCr0:
      return ExitAction::kWriteCr0;
    case SNP_EXIT_MSR:
      return IsServedMsr(exit.msr) ? ExitAction::kServeMsr : ExitAction::kReflect;
    case SNP_EXIT_CPUID:
      return ExitAction::kReflect;
    case SNP_EXIT_IOIO:
      return ExitAction::kPort;
    case SNP_EXIT_VMMCALL:
      return ExitAction::kHypercall;
    case kExitInvlpga:
      return ExitAction::kInjectInvalid;
    case SNP_EXIT_NPF:
      return ExitAction::kNestedFault;
    case SNP_EXIT_HLT:
      return ExitAction::kHalt;
    case SNP_EXIT_SHUTDOWN:
      return ExitAction::kShutdown;
    default:
      return exit.code >= kExitVmrun && exit.code <= kExitSkinit ? ExitAction::kInjectInvalid
                                                                 : ExitAction::kUnexpected;
  }
}

}  // namespace nsgx::emu
