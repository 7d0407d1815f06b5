// SPDX-License-Identifier: Apache-2.0
// The way into ring 3 and back: C++ side of ring3_entry.S.
#pragma once

// TrapFrame::vector of a SYSCALL.
#define RING3_SYSCALL_VECTOR 256

#ifndef __ASSEMBLER__

#include <cstdint>

#include "vmpl-switch/snp/cpu/trap_frame.h"

namespace nsgx::snp {

extern "C" {

// Goes to ring 3 as `frame` says. Returns when LeaveRing3 is called with what this has put into
// `stack`.
void EnterRing3(const TrapFrame* frame, uint64_t* stack);
[[noreturn]] void LeaveRing3(uint64_t stack);

// Where SYSCALL arrives; goes on to LeaveForTrap.
void EnterFromSyscall();

// Ends the turn that ring 3 was in.
[[noreturn]] void LeaveForTrap(TrapFrame& frame);

}  // extern "C"

}  // namespace nsgx::snp

#endif  // __ASSEMBLER__
