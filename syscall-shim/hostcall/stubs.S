/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each host call:  int64_t nsgx_host_call_NAME(a0, a1, a2, a3)
 *
 * Each has a section of its own, and a record with its number that is tied to that section
 * (SHF_LINK_ORDER): the linker keeps the record exactly when it keeps the stub. So .nsgx.hostcalls
 * lists the host calls that an image can make; see vmpl-switch/abi/image.h.
 */
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"

/* FROM: C++ (client.cc), on a vCPU of the enclave, so the GS base is its slot.
 * Live: rdi, rsi, rdx, rcx = a0..a3, the stack and the callee-saved registers of the C convention,
 * which the gate keeps. */
.macro host_call_stub name, number
  .section .text.nsgx_host_call_\name, "ax", @progbits
  .globl nsgx_host_call_\name
  .hidden nsgx_host_call_\name
  .type nsgx_host_call_\name, @function
  .p2align 4
nsgx_host_call_\name:
  movq %rcx, %r9
  movq %rdx, %r8
  movq %rsi, %rcx
  movq %rdi, %rdx
  movl $\number, %esi
  movl $NSGX_GATE_HOST_CALL, %edi
  jmpq *%gs:NSGX_SLOT_GATE
  .size nsgx_host_call_\name, . - nsgx_host_call_\name

  .section .nsgx.hostcalls, "o", @progbits, .text.nsgx_host_call_\name, unique, \number
  .long \number
.endm

#define HOST_CALL(number, name, ...) host_call_stub name, number
#include "syscall-shim/hostcall/host_calls.def"

  .section .note.GNU-stack, "", @progbits
