// SPDX-License-Identifier: Apache-2.0
// The switch from one context to another, in assembly (switch.S); unit tests let host threads take
// turns instead.
#pragma once

#include "libos/kernel/thread.h"

namespace nsgx::libos {

extern "C" {

// Saves the caller's callee-saved registers, MXCSR, x87 control word, FS base and stack pointer in
// `from`, and goes on as `to`. Returns when somebody switches back; the result is who did.
// Requires: ticks off; `to` is suspended and nobody else's.
Thread* libos_switch(Thread* from, Thread* to);

// Where a context made by PrepareContext begins: calls FinishSwitch on who came before, then the
// entry function. Not called from C++.
void libos_begin_context();

// Called on the stack of the context that was switched to, as the first thing it does.
void libos_finish_switch(Thread* previous);

}  // extern "C"

}  // namespace nsgx::libos
