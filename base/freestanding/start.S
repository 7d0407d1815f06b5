# SPDX-License-Identifier: Apache-2.0
# Runs code of the freestanding world as a Linux process, so that a test can watch it.

	.section .text._start, "ax", @progbits
	.globl	_start
	.type	_start, @function
# FROM:    the kernel, once.
# STATE:   ring 3, the process' first stack, DF = 0.
# LIVE IN: rsp, aligned to 16.
_start:
	xorl	%ebp, %ebp
	call	FreestandingMain
	# eax: the exit status.
	movl	%eax, %edi
	movl	$231, %eax			# exit_group
	syscall
	ud2
	.size	_start, . - _start

	.section .text.WriteToStderr, "ax", @progbits
	.globl	WriteToStderr
	.type	WriteToStderr, @function
# FROM:    C++: void WriteToStderr(const char* text, size_t size).
# STATE:   ring 3.
# LIVE IN: rdi = text, rsi = size.
WriteToStderr:
	movq	%rsi, %rdx
	movq	%rdi, %rsi
	movl	$2, %edi			# standard error
	movl	$1, %eax			# write
	syscall
	ret
	.size	WriteToStderr, . - WriteToStderr

	.section .text.ExitNow, "ax", @progbits
	.globl	ExitNow
	.type	ExitNow, @function
# FROM:    C++: [[noreturn]] void ExitNow(int status).
# STATE:   ring 3.
# LIVE IN: edi = status.
ExitNow:
	movl	$231, %eax			# exit_group
	syscall
	ud2
	.size	ExitNow, . - ExitNow

	.section .note.GNU-stack, "", @progbits
