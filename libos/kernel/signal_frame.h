// SPDX-License-Identifier: Apache-2.0
// The frame that a signal handler finds on its stack: Linux's, byte for byte, so that handlers
// which look into it or change it (jump out, step over an instruction, print registers) need not
// know where they run.
#pragma once

#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/signal_types.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

// Puts a frame on the program's stack, or on `stack` if the action wants that, and changes `frame`
// so that the program goes on in the handler. `blocked` is what the handler's return makes the
// mask. False: the stack cannot be written.
bool PushSignalFrame(nsgx_frame& frame, const SignalInfo& info, const SignalAction& action,
                     SignalSet blocked, SignalStack& stack);

// What a handler's return restores.
struct RestoredSignalFrame {
  SignalSet blocked;
  SignalStack stack;
};

// Reads the frame back into `frame` when a handler returns, with the program's stack pointer at
// `rsp`. Only what a program may set is taken over: it may have been changed, or be garbage.
// EFAULT.
Result<RestoredSignalFrame, Errno> PopSignalFrame(nsgx_frame& frame, uint64_t rsp);

// Bytes that a frame needs at most (AT_MINSIGSTKSZ).
uint64_t SignalFrameSize();

}  // namespace nsgx::libos
