// SPDX-License-Identifier: Apache-2.0
// What happens when the program is interrupted, and on its way back from a call. Called by the
// assembly of syscall-shim/entry.
#pragma once

#include <cstdint>

#include "libos/kernel/thread.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

extern "C" {

// On the slot's exception stack. Returns 0: resume the program from `frame`; 1: resume the library
// OS from `frame`; else the address of a copy on the thread's kernel stack, where
// libos_program_exception goes on with ticks off.
uint64_t libos_take_exception(nsgx_frame* frame, uint64_t cause);
// On the kernel stack: faults become memory or signals, ticks give the vCPU to others.
void libos_program_exception(nsgx_frame* frame);

// On the kernel stack, before the program goes on as `frame` says: signals.
void libos_leave_call(nsgx_frame* frame, const SyscallRecord* record);
void libos_leave_raw_call(nsgx_frame* frame, const SyscallRecord* record);
// A signal handler has returned; its frame's user context is at `address`.
void libos_leave_handler(nsgx_frame* frame, uint64_t address);

// slot.pending is set.
void libos_run_deferred();

}  // extern "C"

}  // namespace nsgx::libos
