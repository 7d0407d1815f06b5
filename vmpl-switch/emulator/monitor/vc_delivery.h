// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "vmpl-switch/emulator/monitor/guest_space.h"
#include "vmpl-switch/emulator/monitor/vmcb.h"

namespace nsgx::emu {

// Delivers #VC with `error_code` to the guest: its next instruction is the first of its handler.
//
// QEMU injects vector 29 without its error code, so the frame is built here as a processor in
// 64-bit mode would.
//
// Errors: the fault that stopped the delivery; kPageFault also when gate or stack are not usable.
//         Nothing has changed but perhaps bytes below the stack pointer. A processor would go on to
//         a double fault; this ends the machine with a line that says more.
Result<void, SpaceFault> DeliverVc(const GuestSpace& space, VmcbSave& state, uint64_t error_code);

}  // namespace nsgx::emu
