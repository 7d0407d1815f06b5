// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace nsgx::emu {

// What the monitor does about an exit.
enum class ExitAction : uint8_t {
  kInterrupt,      // a device wants VMPL1
  kNmi,            // the monitor has it already
  kWindow,         // the guest can take an interrupt now
  kIret,           // the guest is through with an NMI
  kDecodeInvalid,  // #UD: an SNP instruction, or really an invalid one
  kWriteCr0,
  kServeMsr,       // a register that the processor has in an SNP guest
  kPort,           // reflected at VMPL0, done below
  kReflect,        // #VC with the exit's code
  kInjectInvalid,  // #UD: guests have no SVM
  kHypercall,      // VMGEXIT or VMMCALL
  kNestedFault,
  kHalt,
  kShutdown,
  kInvalidState,  // the processor refused the guest's state
  kUnexpected,    // nothing that was asked for
};

struct ExitView {
  uint64_t code = 0;
  uint32_t msr = 0;  // for SNP_EXIT_MSR
};

// Decides by the exit alone; the same for all VMPLs. What differs between them is which exits they
// have: see the intercepts in monitor.cc.
ExitAction Route(const ExitView& exit);

// Registers that are the processor's own in an SNP guest: no #VC.
bool IsServedMsr(uint32_t number);

}  // namespace nsgx::emu
