// SPDX-License-Identifier: Apache-2.0
// A core file, as Linux writes them and gdb reads them: the enclave's memory, and the registers of
// the thread that a signal ended. For debug enclaves only, which keep nothing from who runs them.
#pragma once

#include "libos/kernel/signal_types.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

// Once, at boot: nsgx-run asks for core files. Requires: the enclave is a debug enclave.
void EnableCoreFile();

// Sends the file to nsgx-run in pieces; pages of zeros and pages without memory are left out, as
// holes. Does nothing unless enabled. Other threads go on meanwhile.
void WriteCoreFile(const SignalInfo& info, const nsgx_frame& frame);

}  // namespace nsgx::libos
