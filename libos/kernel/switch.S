/* SPDX-License-Identifier: Apache-2.0 */
#include "libos/kernel/cpu_offsets.h"

/* On a suspended context's kernel stack, from its rsp upward:
 *   0x00 MXCSR (4 bytes), x87 control word (2 bytes), nothing
 *   0x08 r15, r14, r13, r12, rbx, rbp
 *   0x38 return address
 * thread.cc makes the same for a new context. */

	.text
	.cfi_sections .debug_frame	/* for debuggers, which look at suspended contexts */

/* Thread* libos_switch(Thread* from = rdi, Thread* to = rsi)
 * FROM: scheduler.cc. STATE: libOS, ticks off, on the kernel stack of `from`. LIVE: rdi, rsi, callee-saved.
 * The other side of the switch is at the same label, on the stack of `to`, or in libos_begin_context. */
	.globl	libos_switch
	.hidden	libos_switch
	.type	libos_switch, @function
libos_switch:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	push	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	push	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	push	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	push	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	rdfsbase %rax			/* a program may have changed it without telling */
	mov	%rax, LIBOS_THREAD_FS_BASE(%rdi)
	mov	%rsp, LIBOS_THREAD_RSP(%rdi)

	mov	LIBOS_THREAD_RSP(%rsi), %rsp
	mov	LIBOS_THREAD_FS_BASE(%rsi), %rcx
	wrfsbase %rcx
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	add	$8, %rsp
	mov	%rdi, %rax		/* the result: who switched here */
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.cfi_endproc
	.size	libos_switch, . - libos_switch

/* FROM: the `ret` of libos_switch. STATE: libOS, ticks off, kernel stack of the new thread, 16-byte aligned.
 * LIVE: rax = previous thread, r12 = entry function, r13 = its argument. */
	.globl	libos_begin_context
	.hidden	libos_begin_context
	.type	libos_begin_context, @function
libos_begin_context:
	mov	%rax, %rdi
	call	libos_finish_switch
	mov	%r13, %rdi
	call	*%r12
	ud2				/* entry functions do not return */
	.size	libos_begin_context, . - libos_begin_context

	.hidden	libos_finish_switch

	.section .note.GNU-stack, "", @progbits
