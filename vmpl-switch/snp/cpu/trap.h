// SPDX-License-Identifier: Apache-2.0
// Exceptions at VMPL0: how they arrive, and who gets them.
#pragma once

// For assembly; checked in trap.cc.
#define TRAP_FRAME_SIZE 176
#define TRAP_FRAME_VECTOR 120
#define TRAP_FRAME_ERROR 128
#define TRAP_FRAME_CS 144
#define TRAP_VECTOR_HV 28
#define TRAP_VECTOR_VC 29
#define TRAP_TERMINATE_HOST_PROTOCOL 15
#define TRAP_TERMINATE_EXCEPTION 16
#define TRAP_TERMINATE_DOUBLE_FAULT 19

#ifndef __ASSEMBLER__

#include "vmpl-switch/snp/cpu/trap_frame.h"

namespace nsgx::snp {

// Called, on the stack that RSP0 names, with IF = 0, for each exception and #HV that arrives from
// ring 3; CR2 is still the exception's. May change the frame and return, which goes back to ring 3
// with it, or never return. GS is the SEH's.
//
// Trust: every register in the frame is the enclave's. Vector and error code are the processor's,
//        except for #VC: the host chooses when it comes and its code. Decode before you believe.
using RingThreeTrapHandler = void (*)(TrapFrame& frame);
void SetRingThreeTrapHandler(RingThreeTrapHandler handler);

// Goes to ring 3 where `frame` says, with all its registers; for the first time, too. When an event
// is pending, or comes before ring 3 has run an instruction, the handler gets #HV with that frame
// instead. So it must not return from #HV as long as the event is pending.
//
// Requires: GS is the SEH's, IF = 0; selectors SEH_USER_CODE_SELECTOR and SEH_USER_DATA_SELECTOR, a
//           canonical rip, and RSP0 is set. The frame stays what it is.
extern "C" [[noreturn]] void ResumeFromTrap(const TrapFrame* frame);

}  // namespace nsgx::snp

#endif  // __ASSEMBLER__
