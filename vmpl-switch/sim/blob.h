/* SPDX-License-Identifier: Apache-2.0 */
/* The enclave of the switch tests: routines in blob.S, which a test copies into an address range,
 * and a data area for each slot that the test fills in and reads through the SEH's access. */
#pragma once

/* Where the test puts things in the range. */
#define BLOB_SLOTS 0x100000
#define BLOB_DATA 0x200000 /* read-write, BLOB_DATA_STRIDE bytes for each slot */
#define BLOB_DATA_STRIDE 0x4000
#define BLOB_READ_ONLY 0x280000 /* one page; what follows is reserved, not committed */
#define BLOB_SIZE 0x1000000

/* Offsets in a slot's data area, which the FS base points at. */
#define BLOB_RESULT 0x00
#define BLOB_ARGUMENT 0x08 /* of the routine */
#define BLOB_ARGUMENT2 0x10
#define BLOB_BAD 0x18 /* self-checks that failed */
#define BLOB_ROUNDS 0x20
#define BLOB_TICKS 0x28      /* ticks delivered */
#define BLOB_PENDING 0x30    /* times that slot.pending was found set */
#define BLOB_EXCEPTIONS 0x38 /* exceptions delivered, ticks and steps not counted */
#define BLOB_STEPS 0x40      /* single steps delivered */
#define BLOB_SKIP 0x48       /* the exception handler continues so many bytes further on */
#define BLOB_RESUME_RIP 0x50 /* ... or here, if not 0 */
#define BLOB_RESUME_RSP 0x58 /* ... with this stack, if not 0 */
#define BLOB_XCR0 0x60
#define BLOB_ACTION 0x68 /* BLOB_ACTION_*: what the handlers do besides */
#define BLOB_SCRATCH 0x70
#define BLOB_FRAME 0x80   /* copy of the last frame without its XSAVE area: 0xb8 bytes */
#define BLOB_RAW 0x140    /* at the raw-syscall entry: rax, rcx, r11, rdi, rsi, rdx, r10, rsp */
#define BLOB_WANTED 0x200 /* what blob_registers loads, in the order of BLOB_GENERAL */
#define BLOB_WANTED_XSAVE 0x400
#define BLOB_XSAVE 0x2000 /* vector state as stored last */
#define BLOB_XSAVE_SIZE 0xc00

/* General registers as stored last, in the library OS's part of the slot: rax rbx rcx rdx rsi rdi
 * rbp r8..r15, flags, rsp, fs, gs. */
#define BLOB_GENERAL 0x100
#define BLOB_GENERAL_FLAGS 0x78
#define BLOB_GENERAL_RSP 0x80
#define BLOB_GENERAL_FS 0x88
#define BLOB_GENERAL_GS 0x90

#define BLOB_ACTION_DIRTY 1 /* overwrite all vector registers */
#define BLOB_ACTION_FAULT 2 /* cause an exception in the handler */
#define BLOB_ACTION_CALL 4  /* make a host call */

/* Routines of blob_fault, in BLOB_ARGUMENT; BLOB_ARGUMENT2 is an address where one is needed. */
#define BLOB_FAULT_READ 0
#define BLOB_FAULT_WRITE 1
#define BLOB_FAULT_JUMP 2
#define BLOB_FAULT_UNDEFINED 3
#define BLOB_FAULT_DIVIDE 4
#define BLOB_FAULT_PRIVILEGED 5
#define BLOB_FAULT_BREAKPOINT 6
#define BLOB_FAULT_ALIGNMENT 7
#define BLOB_FAULT_X87 8
#define BLOB_FAULT_SIMD 9
#define BLOB_FAULT_STACK 10
#define BLOB_FAULT_SYSCALL 11
#define BLOB_FAULT_INT80 12
#define BLOB_FAULT_SYSENTER 13
#define BLOB_FAULT_VSYSCALL 14
#define BLOB_FAULT_GATE_STACK 15
#define BLOB_FAULT_GATE_GS 16
#define BLOB_FAULT_GATE_INDEX 17
#define BLOB_FAULT_SEH_STACK 18
#define BLOB_FAULT_COUNT 19

/* Host call of the tests: returns its first argument plus one. */
#define BLOB_HOST_CALL 5

/* struct Probe of the host's side (switch_test.cc) */
#define PROBE_FLAGS 0x00
#define PROBE_MXCSR 0x08
#define PROBE_FCW 0x0c
#define PROBE_XCR0 0x10
#define PROBE_GENERAL 0x40 /* 15 registers in the order of BLOB_GENERAL, then flags */
#define PROBE_XSAVE 0x100
