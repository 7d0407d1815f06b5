# SPDX-License-Identifier: Apache-2.0
# Where exceptions and #HV arrive, and the way back.
#
# #HV can come between any two instructions, and a host can make #VC come at any that touches
# memory; so both have a stack of their own, and work in the few instructions at whose start RSP or
# GS are still the enclave's (after SYSCALL, before SWAPGS). Above each of these stacks lies a
# pointer to the processor's struct PerCpu.
#include "vmpl-switch/snp/cpu/per_cpu.h"
#include "vmpl-switch/snp/cpu/trap.h"
#include "vmpl-switch/snp/cpu/trap_registers.inc"

	.text

# The entry of one exception. FROM: the processor. STATE: IF = 0; from ring 0 the current stack,
# from ring 3 that of RSP0. LIVE IN: everything; the processor's frame.
.macro VECTOR number, has_error
	.balign 16
vector_\number:
	.if	!\has_error
	pushq	$0
	.endif
	pushq	$\number
	jmp	enter
.endm

	VECTOR	0, 0
	VECTOR	3, 0
	VECTOR	4, 0
	VECTOR	5, 0
	VECTOR	6, 0
	VECTOR	7, 0
	VECTOR	8, 1
	VECTOR	9, 0
	VECTOR	10, 1
	VECTOR	11, 1
	VECTOR	12, 1
	VECTOR	13, 1
	VECTOR	14, 1
	VECTOR	15, 0
	VECTOR	16, 0
	VECTOR	17, 1
	VECTOR	19, 0
	VECTOR	20, 0
	VECTOR	21, 1
	VECTOR	30, 1

# FROM:    vector_*, above.
# STATE:   IF = 0; GS is the enclave's if the frame is of ring 3.
# LIVE IN: everything; on the stack vector, error code, processor's frame.
enter:
	testb	$3, 24(%rsp)			# cs
	jz	enter_with_gs
	swapgs
	lfence					# nothing is loaded by the enclave's GS
# FROM:    enter; vector_hv and vector_vc, with a copied frame.
# STATE:   GS is the SEH's.
# LIVE IN: as enter.
enter_with_gs:
	PUSH_REGISTERS
	# DF and AC are whatever was set outside.
	pushq	$2
	popfq
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	HandleTrap
	movq	%rbp, %rdi
	testb	$3, TRAP_FRAME_CS(%rdi)
	jnz	ResumeFromTrap
	movq	%rdi, %rsp
	POP_REGISTERS
	iretq

	.globl	ResumeFromTrap
	.type	ResumeFromTrap, @function
# FROM:    above; abort_resume; C++: [[noreturn]] void ResumeFromTrap(const TrapFrame* frame).
# STATE:   IF = 0, GS is the SEH's; the frame is of ring 3.
# LIVE IN: rdi = frame.
#
# An event that comes after the last look at event_pending and before ring 3 runs would wait until
# ring 3 leaves by itself: the host signals it once. So from resume_begin to resume_end #HV does not
# come back here, but goes to abort_resume. Not before: the frame there would be that of whoever was
# resumed last.
ResumeFromTrap:
	movq	%rdi, %gs:PER_CPU_RESUMING
resume_begin:
	cmpl	$0, %gs:PER_CPU_EVENT_PENDING
	jne	abort_resume
	movq	%rdi, %rsp
	POP_REGISTERS
	swapgs
resume_with_user_gs:
	iretq
resume_end:

# FROM:    ResumeFromTrap, or vector_hv that has interrupted it.
# STATE:   GS is the SEH's, DF = 0; any stack.
# LIVE IN: nothing. What ring 3 would have had is still in the frame: it is as if ring 3 had run no
#          instruction and then got #HV.
abort_resume:
	movq	%gs:PER_CPU_RESUMING, %rsi
	movq	%gs:PER_CPU_KERNEL_STACK, %rsp
	subq	$TRAP_FRAME_SIZE, %rsp
	movq	%rsp, %rdi
	movl	$TRAP_FRAME_SIZE / 8, %ecx
	rep movsq
	movq	$TRAP_VECTOR_HV, TRAP_FRAME_VECTOR(%rsp)
	movq	$0, TRAP_FRAME_ERROR(%rsp)
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	HandleTrap
	movq	%rbp, %rdi
	jmp	ResumeFromTrap

# Copies the processor's frame (and `words` - 5 words below it) from the stack of an interrupt to that
# of entries from ring 3. GS is the SEH's, rsp points to the lowest word.
.macro LEAVE_INTERRUPT_STACK words
	movq	%rax, %gs:PER_CPU_SCRATCH_RAX
	movq	%rsp, %gs:PER_CPU_SCRATCH_RSP
	movq	%gs:PER_CPU_KERNEL_STACK, %rsp
	movq	%gs:PER_CPU_SCRATCH_RSP, %rax
	.set	i, \words
	.rept	\words
	.set	i, i - 1
	pushq	i * 8(%rax)
	.endr
	movq	%gs:PER_CPU_SCRATCH_RAX, %rax
.endm

	.balign 16
# FROM:    the processor: #HV, at any time.
# STATE:   IF = 0; the stack of #HV; GS anybody's.
# LIVE IN: everything; the processor's frame, and above it the pointer to struct PerCpu.
vector_hv:
	pushq	%rax
	movq	48(%rsp), %rax
	movl	$1, PER_CPU_EVENT_PENDING(%rax)
	testb	$3, 16(%rsp)			# cs
	jnz	1f
	leaq	resume_begin(%rip), %rax
	cmpq	%rax, 8(%rsp)			# rip
	jb	2f
	leaq	resume_end(%rip), %rax
	cmpq	%rax, 8(%rsp)
	jae	2f
	# Ring 3 was about to be entered. The frame here is given up.
	leaq	resume_with_user_gs(%rip), %rax
	cmpq	%rax, 8(%rsp)
	jb	abort_resume
	swapgs
	jmp	abort_resume
2:	popq	%rax
	iretq
1:	popq	%rax
	swapgs
	LEAVE_INTERRUPT_STACK 5
	pushq	$0
	pushq	$TRAP_VECTOR_HV
	jmp	check_copied_frame

	.balign 16
# FROM:    the processor: #DB.
# STATE:   IF = 0; the stack of #DB; GS anybody's.
# LIVE IN: everything; the processor's frame.
vector_debug:
	testb	$3, 8(%rsp)			# cs
	jnz	1f
	# Ring 3 can make one arrive right after SYSCALL. Nothing of ours asks for it.
	iretq
1:	swapgs
	LEAVE_INTERRUPT_STACK 5
	pushq	$0
	pushq	$1
	jmp	check_copied_frame

	.balign 16
# FROM:    the processor: NMI, #MC; a host has no right to send either.
# STATE:   the stack of #DB.
vector_fatal:
	movl	$TRAP_TERMINATE_EXCEPTION, %edi
	call	TerminateMachine

	.balign 16
# FROM:    the processor: #VC, at any instruction.
# STATE:   IF = 0; the stack of #VC; GS anybody's.
# LIVE IN: everything; error code, the processor's frame, above it the pointer to struct PerCpu.
vector_vc:
	testb	$3, 16(%rsp)			# cs
	jnz	1f
	# From ring 0 it is handled here, by code that does not look at GS.
	pushq	$TRAP_VECTOR_VC
	jmp	enter_with_gs
1:	swapgs
	LEAVE_INTERRUPT_STACK 6
	pushq	$TRAP_VECTOR_VC
	# Falls through.

# FROM:    vector_hv, vector_debug, vector_vc.
# STATE:   GS is the SEH's; the stack of entries from ring 3.
# LIVE IN: as enter.
check_copied_frame:
	# A second event during the copying has overwritten the frame: only a hostile host sends one.
	testb	$3, 24(%rsp)			# cs
	jnz	enter_with_gs
	movl	$TRAP_TERMINATE_HOST_PROTOCOL, %edi
	call	TerminateMachine

	.balign 16
# FROM:    the processor: #DF.
# STATE:   the stack of #DF; nothing can be trusted to work.
vector_double_fault:
	movl	$TRAP_TERMINATE_DOUBLE_FAULT, %edi
	call	TerminateMachine

	.section .rodata, "a", @progbits
	.balign 8
	.globl	kTrapEntries
# Entry points by vector; 0: none.
kTrapEntries:
	.quad	vector_0, vector_debug, vector_fatal, vector_3, vector_4, vector_5, vector_6, vector_7
	.quad	vector_double_fault, vector_9, vector_10, vector_11, vector_12, vector_13, vector_14
	.quad	vector_15, vector_16, vector_17, vector_fatal, vector_19, vector_20, vector_21
	.quad	0, 0, 0, 0, 0, 0, vector_hv, vector_vc, vector_30, 0

	.section .note.GNU-stack, "", @progbits
