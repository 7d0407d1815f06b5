/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of an image: one record for each call that is made somewhere in it.
 *
 * Nothing refers to a record but the code that makes its call: the C library does so with every
 * call whose number is a constant (syscall-shim/musl/overlay/arch/x86_64/syscall_arch.h), and with
 * nsgx_syscall_all where it is not, as in syscall(). So the linker keeps the handlers that the
 * program can reach, and with them what these can reach: files of the library OS, host calls.
 */
.macro record number
  .section nsgx_syscalls, "a", @progbits, unique, \number
  .globl nsgx_syscall_\number
  .hidden nsgx_syscall_\number
nsgx_syscall_\number:
  .long \number
  .hidden libos_call_\number
  .long libos_call_\number - .
.endm
.macro refused number
  .globl nsgx_syscall_\number
  .hidden nsgx_syscall_\number
  .set nsgx_syscall_\number, 0 /* nothing to keep */
.endm
.macro keep number
  .reloc ., R_X86_64_NONE, nsgx_syscall_\number
.endm

#define REFUSE(number, ...) refused number
#define CALL(number, ...) record number
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE

  .section .rodata.nsgx_syscall_all, "a", @progbits
  .globl nsgx_syscall_all
  .hidden nsgx_syscall_all
nsgx_syscall_all:
#define REFUSE(...)
#define CALL(number, ...) keep number
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE
  .byte 0

  .section .note.GNU-stack, "", @progbits
