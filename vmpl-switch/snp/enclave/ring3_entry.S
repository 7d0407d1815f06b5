# SPDX-License-Identifier: Apache-2.0
# Into ring 3, and from its SYSCALL back.
#include "vmpl-switch/snp/cpu/per_cpu.h"
#include "vmpl-switch/snp/cpu/selectors.h"
#include "vmpl-switch/snp/cpu/trap_registers.inc"
#include "vmpl-switch/snp/enclave/ring3_entry.h"

	.text

	.globl	EnterRing3
	.type	EnterRing3, @function
# void EnterRing3(const TrapFrame* frame, uint64_t* stack)
# FROM:    C++. STATE: ring 0, IF = 0, GS is the SEH's. LIVE IN: rdi, rsi.
EnterRing3:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rsi)
	jmp	ResumeFromTrap
	.size	EnterRing3, . - EnterRing3

	.globl	LeaveRing3
	.type	LeaveRing3, @function
# [[noreturn]] void LeaveRing3(uint64_t stack)
# FROM:    C++, on the stack of RSP0. STATE: as above, flags clean. LIVE IN: rdi.
LeaveRing3:
	movq	%rdi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	LeaveRing3, . - LeaveRing3

	.balign	16
	.globl	EnterFromSyscall
	.type	EnterFromSyscall, @function
# FROM:    the processor: SYSCALL in ring 3.
# STATE:   ring 0, IF, DF, TF and AC = 0; stack and GS are the enclave's.
# LIVE IN: everything; rcx = next rip, r11 = flags. Makes a TrapFrame of it.
EnterFromSyscall:
	swapgs
	movq	%rsp, %gs:PER_CPU_USER_STACK
	movq	%gs:PER_CPU_KERNEL_STACK, %rsp
	pushq	$SEH_USER_DATA_SELECTOR
	pushq	%gs:PER_CPU_USER_STACK
	pushq	%r11
	pushq	$SEH_USER_CODE_SELECTOR
	pushq	%rcx
	pushq	$0
	pushq	$RING3_SYSCALL_VECTOR
	PUSH_REGISTERS
	movq	%rsp, %rdi
	call	LeaveForTrap
	.size	EnterFromSyscall, . - EnterFromSyscall

	.section .note.GNU-stack, "", @progbits
