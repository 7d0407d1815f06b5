// SPDX-License-Identifier: Apache-2.0
// Tells the operator of every system call: nsgx-run --trace.
#pragma once

#include <cstdint>

#include "syscall-shim/entry/trampoline.h"

namespace nsgx::shim {

// Stands in the table of system calls in place of every handler when calls are traced: tells what
// the call is given, makes it by `handler`, and tells what came of it.
int64_t Traced(Trampoline handler, uint64_t number, const uint64_t (&words)[6]);

}  // namespace nsgx::shim
