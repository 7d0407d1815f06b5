// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

// Writes to registers that say how a guest's processor works, as the processor would do them.
// False: it raises #GP, and nothing has changed.
bool WriteCr0(VmcbSave& save, uint64_t value);

// A guest sees no SVM, and can't lose it: VMRUN wants EFER.SVME of all guests.
bool WriteEfer(VmcbSave& save, uint64_t value);

}  // namespace nsgx::emu
