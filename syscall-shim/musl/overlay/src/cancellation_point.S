/* SPDX-License-Identifier: Apache-2.0 */
/* System calls at which a thread can be cancelled, for the library OS. A member of the C library's archive of its own:
 * a native program defines the same symbols in native.S and does not get this one. */

.macro label name:req
	.globl	\name
	.hidden	\name
\name:
.endm

	.text
	.hidden	libos_syscall
	.hidden	__cancel

/* long __syscall_cp_asm(volatile int *cancel = rdi, long number = rsi, a1 = rdx, a2 = rcx, a3 = r8, a4 = r9,
 *                       a5 = 8(rsp), a6 = 16(rsp))
 * Called by musl's __syscall_cp_c with an aligned stack. All arguments move down by one; the sixth then lies where a
 * seventh C argument is expected, so the call of libos_syscall can be a jump.
 *
 * musl's handler for cancellation looks whether the interrupted program counter lies in [__cp_begin, __cp_end). A
 * thread that waits in the library OS is outside; the library OS answers -EINTR when the cancellation signal is
 * pending or arrives, and __syscall_cp_c then cancels the thread. */
	.type	__syscall_cp_asm, @function
label __syscall_cp_asm
label __cp_begin
	cmpl	$0, (%rdi)
	jne	__cp_cancel
	mov	16(%rsp), %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %rcx
	mov	%r9, %r8
	mov	8(%rsp), %r9
	mov	%rax, 8(%rsp)
	jmp	libos_syscall
label __cp_end
label __cp_cancel
	jmp	__cancel
	.size	__syscall_cp_asm, . - __syscall_cp_asm

	.section .note.GNU-stack, "", @progbits
