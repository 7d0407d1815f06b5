# SPDX-License-Identifier: Apache-2.0
# Into a guest and back.

	.text
	.globl	RunGuest
	.type	RunGuest, @function
# FROM:    C++: void RunGuest(uint64_t vmcb, GeneralRegisters* registers, bool takes_interrupts).
# STATE:   IF = 0, GIF = 0.
# LIVE IN: rdi, rsi, edx.
RunGuest:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rsi
	movq	%rdi, %rax
	movq	%rsi, %r15
	# As the global flag is off nothing arrives here. What IF is when the guest starts says whether a
	# device may end its run.
	testb	%dl, %dl
	jz	1f
	sti
1:	movq	0(%r15), %rcx
	movq	8(%r15), %rdx
	movq	16(%r15), %rbx
	movq	24(%r15), %rbp
	movq	32(%r15), %rsi
	movq	40(%r15), %rdi
	movq	48(%r15), %r8
	movq	56(%r15), %r9
	movq	64(%r15), %r10
	movq	72(%r15), %r11
	movq	80(%r15), %r12
	movq	88(%r15), %r13
	movq	96(%r15), %r14
	movq	104(%r15), %r15
	vmload	%rax
	vmrun	%rax
	vmsave	%rax
	cli
	# Lets in the NMI that has ended the run, if one has.
	stgi
	clgi
	pushq	%r15
	movq	8(%rsp), %r15
	movq	%rcx, 0(%r15)
	movq	%rdx, 8(%r15)
	movq	%rbx, 16(%r15)
	movq	%rbp, 24(%r15)
	movq	%rsi, 32(%r15)
	movq	%rdi, 40(%r15)
	movq	%r8, 48(%r15)
	movq	%r9, 56(%r15)
	movq	%r10, 64(%r15)
	movq	%r11, 72(%r15)
	movq	%r12, 80(%r15)
	movq	%r13, 88(%r15)
	movq	%r14, 96(%r15)
	popq	%rax
	movq	%rax, 104(%r15)
	popq	%rsi
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	RunGuest, . - RunGuest

	.globl	SleepUntilNmi
	.type	SleepUntilNmi, @function
# FROM:    C++: void SleepUntilNmi().
# STATE:   IF = 0, GIF = 0.
# LIVE IN: nothing.
SleepUntilNmi:
	stgi
	# One that comes before the processor sleeps skips the instruction (exception_2).
	.globl	sleep_instruction
sleep_instruction:
	hlt
	clgi
	ret
	.size	SleepUntilNmi, . - SleepUntilNmi

	.section .note.GNU-stack, "", @progbits
