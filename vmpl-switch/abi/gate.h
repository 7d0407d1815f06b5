/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from an enclave (ring 3) to the SEH, through slot.gate:  int64_t gate(call, a0, a1, a2, a3, a4).
 * The C calling convention holds: callee-saved registers, MXCSR and x87 control word survive, all vector state is lost.
 * A negative result is -NSGX_<status> (status.h). C11-clean. */
#pragma once

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

/* Exits: the enclave leaves, the loader (or the guest module) does something, the enclave goes on. */
#define NSGX_GATE_HOST_CALL 0 /* (number, a0, a1, a2, a3): result is the host's, hence untrusted */
#define NSGX_GATE_IDLE 1      /* (deadline): sleep until woken or the monotonic deadline in ns; ~0: no deadline; 0 at once */
#define NSGX_GATE_WAKE 2      /* (slot): wakes a slot from IDLE or from a waiting host call; remembered if it sleeps not */
#define NSGX_GATE_DONE 3      /* (kind, code): the enclave is over; never returns. kind: NSGX_DONE_* */

#define NSGX_DONE_EXIT 0   /* code: exit status 0..255 */
#define NSGX_DONE_SIGNAL 1 /* code: signal number that ended the program */
#define NSGX_DONE_PANIC 2  /* the library OS found itself broken */

/* Answered by the SEH; no exit. Addresses are the enclave's own and are checked to lie inside it. */
#define NSGX_GATE_FIRST_SEH_CALL 16
#define NSGX_GATE_COMMIT 16      /* (address, size, permissions): makes pages usable, zero at first touch */
#define NSGX_GATE_PROTECT 17     /* (address, size, permissions): 0 = no access */
#define NSGX_GATE_TRIM 18        /* (address, size): gives pages back; they are uncommitted afterwards */
#define NSGX_GATE_SET_HANDLER 19 /* (exception entry, raw-syscall entry): for all slots; once */
#define NSGX_GATE_ENTROPY 20     /* (address, size <= 256) */
#define NSGX_GATE_CLOCK 21       /* (address of struct nsgx_clock) */
#define NSGX_GATE_REPORT 22      /* (address of struct nsgx_report_request, address of struct nsgx_report) */
#define NSGX_GATE_VERIFY 23      /* (address of struct nsgx_report): was it made for me on this machine? 0 or negative */
#define NSGX_GATE_KEY 24         /* (address of struct nsgx_key_request, address of 32 bytes) */
#define NSGX_GATE_EVIDENCE 25    /* (address of 64 bytes report data, address of struct nsgx_evidence_core) */
#define NSGX_GATE_LAST_SEH_CALL 25

/* COMMIT, PROTECT and TRIM change at most so many pages at once, because nothing else runs on the processor meanwhile. */
#define NSGX_GATE_MAX_PAGES 4096

/* A call that fails has changed nothing. What the calls of the SEH say besides 0:
 *
 * COMMIT, PROTECT, TRIM  INVALID_ARGUMENT   not whole pages, no pages, too many, permissions other than none, R, RW, RX
 *                        OUT_OF_RANGE       not all inside the enclave
 *                        ALREADY_EXISTS     COMMIT: a page is committed
 *                        NOT_FOUND          PROTECT, TRIM: a page is not committed
 *                        PERMISSION_DENIED  COMMIT below nsgx_boot.heap; TRIM of what the SEH committed; PROTECT of slots and
 *                                           boot area, or of image pages to a right that they do not have
 *                        BUSY               another slot is changing one of these pages now
 *                        NO_MEMORY          none for the pages, or (all three calls) for the SEH's own tables
 * pointers               OUT_OF_RANGE       not all inside the enclave
 *                        NOT_FOUND          not committed
 *                        PERMISSION_DENIED  the enclave itself could not read, or write, there
 *                        BUSY               another slot is changing one of these pages now
 * SET_HANDLER            PERMISSION_DENIED  not in the image's executable pages; 0 is allowed and means none
 *                        ALREADY_EXISTS     set before
 * ENTROPY                INVALID_ARGUMENT   size 0 or above 256; ENTROPY_FAILURE
 * CLOCK                  UNSUPPORTED        the machine has no such clock
 * VERIFY                 BAD_TAG            made for another identity, by another SEH or before it started anew, or changed
 * KEY                    INVALID_ARGUMENT   unknown policy, reserved bits; PERMISSION_DENIED: svn above the enclave's own
 * REPORT, KEY, EVIDENCE  ENTROPY_FAILURE, NO_MEMORY, UNSUPPORTED
 * all                    BAD_STATE          the enclave has ended; INVALID_ARGUMENT: no such call
 */

/* Exception entry: rdi = struct nsgx_frame*, rsi = cause; on the slot's exception stack, slot.in_exception = 1, flags clean.
 * Resuming is the enclave's own affair: it restores the frame in ring 3 and clears in_exception when the frame is free.
 * Raw-syscall entry: as after the instruction: rcx = next rip, r11 = flags, rax = number; all else as it was, on the
 * program's own stack. */

#ifndef __ASSEMBLER__
/* ns = ns_base + ((tsc - tsc_base) * multiplier >> 32); valid for tsc - tsc_base < 2^32. */
struct nsgx_clock {
  uint64_t tsc_base;
  uint64_t ns_base;    /* monotonic, from the start of the machine */
  uint64_t multiplier; /* ns per tick, 32.32 fixed point */
};
#endif
