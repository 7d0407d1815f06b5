/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets that assembly needs; cpu.h and thread.h assert that they are right. C11-clean. */
#pragma once

#include "vmpl-switch/abi/slot.h"

/* In the slot, relative to the GS base. */
#define LIBOS_SLOT_CURRENT (NSGX_SLOT_LIBOS + 0x00) /* Thread* */
#define LIBOS_SLOT_RETURN \
  (NSGX_SLOT_LIBOS + 0x08) /* five words for iretq: rip, cs, rflags, rsp, ss */
#define LIBOS_SLOT_RETURN_END (LIBOS_SLOT_RETURN + 0x28)

/* In Thread, which lies at the top of the thread's kernel stack. */
#define LIBOS_THREAD_RSP 0x00 /* of the suspended context, on the kernel stack */
#define LIBOS_THREAD_FS_BASE 0x08
#define LIBOS_THREAD_ATTENTION \
  0x10 /* uint32_t, not 0: something to do before the program goes on */
#define LIBOS_THREAD_RAW_FRAME 0x18 /* during a raw system call: its frame; else 0 */

/* What libos_syscall pushes below Thread: struct SyscallRecord in thread.h. */
#define LIBOS_RECORD_SIZE 0x40
#define LIBOS_RECORD_A6 0x00
#define LIBOS_RECORD_A5 0x08
#define LIBOS_RECORD_A4 0x10
#define LIBOS_RECORD_A3 0x18
#define LIBOS_RECORD_A2 0x20
#define LIBOS_RECORD_A1 0x28
#define LIBOS_RECORD_NUMBER 0x30
#define LIBOS_RECORD_USER_RSP 0x38

#define LIBOS_KERNEL_STACK_SIZE 0x5000 /* with Thread at its top; a guard page lies below */

/* In struct nsgx_frame, besides those in slot.h. */
#define LIBOS_FRAME_CAUSE 0x90
#define LIBOS_FRAME_ERROR_CODE 0x98
#define LIBOS_FRAME_ADDRESS 0xa0
#define LIBOS_FRAME_XSAVE_SIZE 0xb0
