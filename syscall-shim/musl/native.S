/* SPDX-License-Identifier: Apache-2.0 */
/* Everything below our C library in a native program: the system calls of the Linux kernel. below.h states each
 * function. The kernel takes the number in rax and arguments in rdi, rsi, rdx, r10, r8, r9, answers in rax, and keeps
 * all registers but rcx and r11. */

	.set	SYS_munmap, 11
	.set	SYS_rt_sigreturn, 15
	.set	SYS_clone, 56
	.set	SYS_exit, 60
	.set	SYS_arch_prctl, 158
	.set	ARCH_SET_FS, 0x1002

.macro function name:req
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
.endm
.macro end_function name:req
	.size	\name, . - \name
.endm
.macro label name:req
	.globl	\name
	.hidden	\name
\name:
.endm

	.text

/* Called from C: number = rdi, a1..a5 = rsi rdx rcx r8 r9, a6 = 8(rsp). */
function libos_syscall
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	ret
end_function libos_syscall

/* Called by musl's __syscall_cp_c: cancel = rdi (an int), number = rsi, a1..a4 = rdx rcx r8 r9, a5 = 8(rsp),
 * a6 = 16(rsp). From the look at `cancel` until the kernel has taken the call, musl's signal handler for cancellation
 * moves the program counter to __cp_cancel, where only the stack pointer counts. So no cancellation is missed. */
	.hidden	__cancel
function __syscall_cp_asm
label __cp_begin
	cmpl	$0, (%rdi)
	jne	__cp_cancel
	mov	%rsi, %rax
	mov	%rdx, %rdi
	mov	%rcx, %rsi
	mov	%r8, %rdx
	mov	%r9, %r10
	mov	8(%rsp), %r8
	mov	16(%rsp), %r9
	syscall
label __cp_end
	ret
label __cp_cancel
	jmp	__cancel
end_function __syscall_cp_asm

/* Called from C: start = rdi, stack = rsi, flags = edx, argument = rcx, parent_tid = r8, thread_pointer = r9,
 * child_tid = 8(rsp). The child finds {start, argument} on its stack. */
function libos_clone
	and	$-16, %rsi
	sub	$16, %rsi
	mov	%rdi, (%rsi)
	mov	%rcx, 8(%rsi)
	mov	%edx, %edi
	mov	%r8, %rdx
	mov	8(%rsp), %r10
	mov	%r9, %r8
	mov	$SYS_clone, %eax
	syscall
	test	%eax, %eax
	jz	1f
	ret
1:	/* In the child: rsp is the new stack, 16-aligned, with nothing live but its two words. */
	xor	%ebp, %ebp
	mov	8(%rsp), %rdi
	call	*(%rsp)
	mov	%eax, %edi
	mov	$SYS_exit, %eax
	syscall
	ud2
end_function libos_clone

/* Called from C: base = rdi, size = rsi. There is no stack after the first call; signals are blocked by the caller. */
function libos_unmapself
	mov	$SYS_munmap, %eax
	syscall
	xor	%edi, %edi
	mov	$SYS_exit, %eax
	syscall
	ud2
end_function libos_unmapself

/* Called from C: thread_pointer = rdi. */
function libos_set_tls
	mov	%rdi, %rsi
	mov	$ARCH_SET_FS, %edi
	mov	$SYS_arch_prctl, %eax
	syscall
	ret
end_function libos_set_tls

/* Entered by the `ret` of a signal handler, rsp at the kernel's frame. */
function libos_sigreturn
	mov	$SYS_rt_sigreturn, %eax
	syscall
	ud2
end_function libos_sigreturn

/* Called from C. Stacks are ordinary mappings here. */
	.hidden	__mmap, __mprotect, __munmap
function libos_thread_stack_map
	jmp	__mmap
end_function libos_thread_stack_map
function libos_thread_stack_protect
	jmp	__mprotect
end_function libos_thread_stack_protect
function libos_thread_stack_unmap
	jmp	__munmap
end_function libos_thread_stack_unmap

	.section .note.GNU-stack, "", @progbits
