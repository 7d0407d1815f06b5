/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of an enclave's address range, and the thread slots in it: one slot for each vCPU. C11-clean; the offsets
 * serve assembly too (`__ASSEMBLER__`).
 *
 *   base + 0                image (measured)
 *   base + slot_area_offset NSGX_SLOT_STRIDE bytes for each of config.max_vcpus slots (made by the SEH)
 *   base + boot_offset      boot information, configuration, arguments (made by the SEH)
 *   base + heap_offset      free for the library OS, committed on demand
 *   base + address_range_size
 *
 * slot_area_offset = image_size rounded up to 64 KiB; boot_offset follows the last slot; heap_offset follows the
 * boot area, rounded up to 2 MiB. The boot area has room for the largest arguments, so that all this depends on measured
 * values alone: one page of struct nsgx_boot (read-write: the library OS overwrites the seed once it has it), the
 * configuration (read-only), NSGX_ARGS_MAX_SIZE for the arguments (read-only; what they do not use is not committed).
 */
#pragma once

#define NSGX_SLOT_STRIDE 0x10000
#define NSGX_SLOT_BLOCK_OFFSET 0x0000           /* struct nsgx_slot, one page, read-write */
#define NSGX_SLOT_FRAME_OFFSET 0x1000           /* struct nsgx_frame: state saved by the last exception */
#define NSGX_SLOT_FRAME_SIZE 0x4000             /* 16 KiB: registers and the XSAVE area (AMX included) */
/* 0x5000: guard page */
#define NSGX_SLOT_EXCEPTION_STACK_OFFSET 0x6000 /* the exception entry runs on this stack */
#define NSGX_SLOT_EXCEPTION_STACK_SIZE 0x4000
/* 0xa000: guard page */
#define NSGX_SLOT_STACK_OFFSET 0xb000           /* first entry and idle loop run on this stack */
#define NSGX_SLOT_STACK_SIZE 0x5000

/* Offsets in struct nsgx_slot. */
#define NSGX_SLOT_SELF 0x00
#define NSGX_SLOT_GATE 0x08
#define NSGX_SLOT_INDEX 0x10
#define NSGX_SLOT_BOOT 0x18
#define NSGX_SLOT_FRAME 0x20
#define NSGX_SLOT_WINDOW 0x28
#define NSGX_SLOT_WINDOW_SIZE 0x30
#define NSGX_SLOT_IRQ_OFF 0x38
#define NSGX_SLOT_PENDING 0x39
#define NSGX_SLOT_IN_EXCEPTION 0x3a
#define NSGX_SLOT_MACHINE 0x40  /* 0x40..0xff: the machine's own */
#define NSGX_SLOT_LIBOS 0x100   /* 0x100..0xfff: the library OS's own */

/* Offsets in struct nsgx_frame. */
#define NSGX_FRAME_R8 0x00
#define NSGX_FRAME_R9 0x08
#define NSGX_FRAME_R10 0x10
#define NSGX_FRAME_R11 0x18
#define NSGX_FRAME_R12 0x20
#define NSGX_FRAME_R13 0x28
#define NSGX_FRAME_R14 0x30
#define NSGX_FRAME_R15 0x38
#define NSGX_FRAME_RDI 0x40
#define NSGX_FRAME_RSI 0x48
#define NSGX_FRAME_RBP 0x50
#define NSGX_FRAME_RBX 0x58
#define NSGX_FRAME_RDX 0x60
#define NSGX_FRAME_RAX 0x68
#define NSGX_FRAME_RCX 0x70
#define NSGX_FRAME_RSP 0x78
#define NSGX_FRAME_RIP 0x80
#define NSGX_FRAME_RFLAGS 0x88
#define NSGX_FRAME_XSAVE 0x200 /* 64-byte aligned XSAVE area, standard format; nsgx_boot.xcr0 == 0: an FXSAVE image */

/* Causes of an exception, in rsi at the exception entry. Hardware vectors keep their number. */
#define NSGX_CAUSE_DIVIDE 0
#define NSGX_CAUSE_DEBUG 1
#define NSGX_CAUSE_BREAKPOINT 3
#define NSGX_CAUSE_OVERFLOW 4
#define NSGX_CAUSE_UNDEFINED 6
#define NSGX_CAUSE_GENERAL_PROTECTION 13
#define NSGX_CAUSE_PAGE_FAULT 14
#define NSGX_CAUSE_X87 16
#define NSGX_CAUSE_ALIGNMENT 17
#define NSGX_CAUSE_SIMD 19
#define NSGX_CAUSE_TICK 256    /* the preemption tick */
#define NSGX_CAUSE_SYSCALL 257 /* a raw system-call instruction that is not `syscall`, e.g. int 0x80 */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* One page a vCPU; the GS base points at it while the enclave runs. Written by the SEH before the first entry; the enclave
 * owns it afterwards, so the SEH never believes anything in it but uses it to tell the enclave things. */
struct nsgx_slot {
  uint64_t self;          /* its own address */
  uint64_t gate;          /* address to call for every gate call: int64_t gate(call, a0, a1, a2, a3, a4) */
  uint32_t index;         /* 0 is the first vCPU */
  uint32_t reserved0;
  uint64_t boot;          /* address of struct nsgx_boot */
  uint64_t frame;         /* address of this slot's struct nsgx_frame */
  uint64_t window;        /* this slot's part of the shared window: the host reads and writes it at any time */
  uint64_t window_size;
  uint8_t irq_off;        /* library OS sets it: no tick is delivered, `pending` is set instead */
  uint8_t pending;        /* a tick came while it could not be delivered */
  uint8_t in_exception;   /* SEH sets it when it delivers; the library OS clears it once the frame is free again.
                             A synchronous exception while it is set ends the enclave. */
  uint8_t reserved1[5];
  uint8_t machine[192];   /* 0x40 */
  uint8_t libos[3840];    /* 0x100 */
};

struct nsgx_frame {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
  uint64_t cause;         /* 0x90: NSGX_CAUSE_* */
  uint64_t error_code;    /* 0x98: of a page fault: bit 0 present, 1 write, 4 fetch */
  uint64_t address;       /* 0xa0: faulting address of a page fault */
  uint64_t fs_base;       /* 0xa8 */
  uint32_t xsave_size;    /* 0xb0: bytes of the XSAVE area that are valid */
  uint32_t reserved[83];
  uint8_t xsave[NSGX_SLOT_FRAME_SIZE - NSGX_FRAME_XSAVE];
};
#endif
