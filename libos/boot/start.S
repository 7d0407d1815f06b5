/* SPDX-License-Identifier: Apache-2.0 */
#include "libos/kernel/cpu_offsets.h"

	.text
	.hidden	libos_boot
	.hidden	libos_enter_cpu

/* The image's entry point.
 * FROM: the SEH, once for each slot. STATE: the slot's stack, GS base = slot, ticks may come; slot 0: nothing is relocated.
 * LIVE: rdi = struct nsgx_slot*. */
	.globl	_nsgx_start
	.type	_nsgx_start, @function
_nsgx_start:
	movb	$1, NSGX_SLOT_IRQ_OFF(%rdi)
	xor	%ebp, %ebp
	and	$-16, %rsp
	cmpl	$0, NSGX_SLOT_INDEX(%rdi)
	jne	.Lother
	call	libos_boot
	ud2
.Lother:
	call	libos_enter_cpu
	ud2
	.size	_nsgx_start, . - _nsgx_start

/* void libos_start_main(stack = rdi)
 * FROM: boot.cc. STATE: libOS, ticks off, kernel stack of the first thread. At `stack`, a multiple of 16, lie argc, argv,
 * environment and auxiliary vector. The C library's __libc_start_main(main, argc, argv, 0, 0, 0) calls main and exits. */
	.globl	libos_start_main
	.hidden	libos_start_main
	.type	libos_start_main, @function
libos_start_main:
	.cfi_sections .debug_frame	/* for debuggers: nobody called this */
	.cfi_startproc
	.cfi_undefined %rip
	mov	%rdi, %rsp
	mov	(%rdi), %esi
	lea	8(%rdi), %rdx
	lea	main(%rip), %rdi
	xor	%ecx, %ecx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%ebp, %ebp
	movb	$0, %gs:NSGX_SLOT_IRQ_OFF
	call	__libc_start_main
	ud2
	.cfi_endproc
	.size	libos_start_main, . - libos_start_main

	.section .note.GNU-stack, "", @progbits
