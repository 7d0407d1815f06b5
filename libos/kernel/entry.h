// SPDX-License-Identifier: Apache-2.0
// What the library OS needs from its entry code, which lies in syscall-shim/entry and
// syscall-shim/table.
#pragma once

#include <cstdint>

#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

extern "C" {

// Where a system call of the C library enters: long libos_syscall(number, a1, ..., a6). Its address
// serves to make a call again.
__attribute__((visibility("hidden"))) void libos_syscall();

// Calls `handler` as the handler of a system call of the program, and returns what it returns: for
// parts of the library OS that only some programs link, and that therefore are not in the table. To
// be called by the program.
using EntryHandler = int64_t (*)(uint64_t handler, uint64_t a1, uint64_t a2, uint64_t a3,
                                 uint64_t a4, uint64_t a5, uint64_t a6);
__attribute__((visibility("hidden"))) int64_t libos_enter(EntryHandler handler, uint64_t a1,
                                                          uint64_t a2, uint64_t a3, uint64_t a4,
                                                          uint64_t a5, uint64_t a6);

// Where the SEH delivers exceptions and ticks, and raw `syscall` instructions. For
// gate::SetHandlers alone.
__attribute__((visibility("hidden"))) void libos_exception_entry();
__attribute__((visibility("hidden"))) void libos_raw_syscall_entry();

// The last instructions before the program, [begin, end): what is interrupted there has the
// program's registers but for rip, rsp and flags, which lie in the slot's return frame.
__attribute__((visibility("hidden"))) extern const char libos_return_begin[];
__attribute__((visibility("hidden"))) extern const char libos_return_end[];

// Begins a thread of the program: `start(argument)` on `stack`, ticks on; the thread ends with the
// result. Leaves the kernel stack empty.
[[noreturn]] __attribute__((visibility("hidden"))) void libos_start_program_thread(
    uint64_t start, uint64_t argument, uint64_t stack);
// Goes on with the program as `frame` says.
[[noreturn]] __attribute__((visibility("hidden"))) void libos_resume_program(nsgx_frame* frame);

// Enters the handlers of the calls that this image makes into the table that libos_syscall jumps
// through; when they are traced, what tells of them first. Once, after relocation and before what
// it wrote becomes read-only.
__attribute__((visibility("hidden"))) void libos_fill_syscall_table(bool is_traced);

// Whether the call with this number is one that SA_RESTART makes again: from the system-call table.
__attribute__((visibility("hidden"))) bool libos_call_can_be_made_again(uint64_t number);

}  // extern "C"

// For XSAVE and XRSTOR: components of xcr0 without protection keys, and bytes of an nsgx_frame with
// its XSAVE area, rounded up to 64. No components: the processor lacks XSAVE, and frames hold what
// FXSAVE writes. Set at boot, read by assembly.
extern "C" __attribute__((visibility("hidden"))) uint64_t libos_xsave_mask;
extern "C" __attribute__((visibility("hidden"))) uint64_t libos_frame_size;

}  // namespace nsgx::libos
