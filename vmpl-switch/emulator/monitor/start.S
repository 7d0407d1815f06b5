# SPDX-License-Identifier: Apache-2.0
# From QEMU's loader to C++, and the other processors after it.
#include "vmpl-switch/emulator/monitor/stacks.h"

#define CR4_PAE_FXSR_XMM 0x620
#define CR0_PG_WP_NE_MP_PE 0x80010023
#define MSR_EFER 0xc0000080
#define EFER_SVME_NXE_LME_SCE 0x1901

# Everybody's first steps, in each of the modes that they come in.
.macro LOAD_TABLES
	movl	$CR4_PAE_FXSR_XMM, %eax
	movl	%eax, %cr4
	movl	$boot_root, %eax
	movl	%eax, %cr3
.endm
.macro TURN_ON_LONG_MODE
	movl	$MSR_EFER, %ecx
	movl	$EFER_SVME_NXE_LME_SCE, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_PG_WP_NE_MP_PE, %eax
	movl	%eax, %cr0
.endm
.macro LOAD_SEGMENTS
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
.endm

	.section .note.pvh, "a", @note
	.balign 4
	.long	4, 4, 18			# XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	monitor_start

	.section .text.start, "ax", @progbits
	.globl	monitor_start
	.type	monitor_start, @function
	.code32
# FROM:    QEMU, once (PVH).
# STATE:   32-bit protected mode, no paging, interrupts off.
# LIVE IN: ebx = struct hvm_start_info.
monitor_start:
	cld
	movl	%ebx, %edi
	LOAD_TABLES
	# Without SVM this faults, and QEMU resets: nobody could print a line yet.
	movl	$0x80000001, %eax
	cpuid
	btl	$2, %ecx
	jnc	no_svm
	TURN_ON_LONG_MODE
	lgdt	boot_gdt_register
	ljmp	$8, $long_mode

# FROM:    above.
# STATE:   as there.
no_svm:
	movl	$no_svm_text, %esi
	movw	$0xe9, %dx
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	movb	$1, %al				# main.cc: kUnfit
	movw	$0xf4, %dx
	outb	%al, %dx
3:	hlt
	jmp	3b

	.code64
# FROM:    above.
# STATE:   64-bit mode; the first four GiB mapped at their own addresses.
# LIVE IN: edi = struct hvm_start_info.
long_mode:
	LOAD_SEGMENTS
	movl	$processor_stacks + STACK_SIZE, %esp
	movl	%edi, %edi
	xorl	%ebp, %ebp
	call	MonitorMain
	ud2
	.size	monitor_start, . - monitor_start

	.globl	trampoline
	.globl	trampoline_end
	.code16
# FROM:    the first processor's SIPI, in a copy below 1 MiB.
# STATE:   real mode at offset 0 of the copy's segment; no stack.
# LIVE IN: nothing.
trampoline:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	trampoline_gdt_register - trampoline
	LOAD_TABLES
	# Straight from real mode.
	TURN_ON_LONG_MODE
	ljmpl	$8, $other_long_mode
trampoline_gdt_register:
	.word	23
	.long	boot_gdt
trampoline_end:

	.code64
# FROM:    above.
# STATE:   64-bit mode; the first four GiB mapped at their own addresses.
# LIVE IN: nothing.
other_long_mode:
	LOAD_SEGMENTS
	movl	$1, %eax
	cpuid
	shrl	$24, %ebx			# APIC id
	cmpl	$STACKS, %ebx
	jae	1f
	movl	%ebx, %edi
	incl	%ebx
	shll	$STACK_SHIFT, %ebx
	leal	processor_stacks(%ebx), %esp
	xorl	%ebp, %ebp
	call	MonitorOther
	ud2
1:	hlt
	jmp	1b

# The entry of one exception. FROM: the processor. STATE: IF = 0, the monitor's stack.
# LIVE IN: the processor's frame.
.macro VECTOR number, has_error
	.balign 16
exception_\number:
	.if \has_error == 0
	pushq	$0
	.endif
	movl	$\number, %edi
	popq	%rsi				# error code
	popq	%rdx				# rip
	andq	$-16, %rsp
	call	MonitorException
	ud2
.endm

	.text
	.irp number, 0, 1, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 31
	VECTOR \number, 0
	.endr
	.irp number, 8, 10, 11, 12, 13, 14, 17, 21, 29, 30
	VECTOR \number, 1
	.endr

	.balign 16
# FROM:    the processor, when STGI lets in an NMI that has made a guest exit, or that wakes us.
# STATE:   IF = 0, the monitor's stack.
# LIVE IN: everything; the processor's frame.
exception_2:
	pushq	%rax
	movq	%rsp, %rax
	andq	$-STACK_SIZE, %rax
	movl	$1, STACK_NMI(%rax)
	leaq	sleep_instruction(%rip), %rax
	cmpq	%rax, 8(%rsp)
	jne	1f
	incq	8(%rsp)				# no sleep any more
1:	popq	%rax
	iretq

	.section .rodata, "a", @progbits
	.balign	8
	.globl	exception_entries
exception_entries:
	.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.quad	exception_\number
	.endr
	.irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	.quad	exception_\number
	.endr
boot_gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_register:
	.word	23
	.long	boot_gdt, 0
no_svm_text:
	.asciz	"L0: end: this processor has no SVM (QEMU's -cpu must say +svm,+npt)\n"

	.data
	.balign	4096
# Four GiB at their own addresses, by pages of 2 MiB.
boot_root:
	.quad	boot_pointers + 3
	.fill	511, 8, 0
boot_pointers:
	.quad	boot_directories + 3, boot_directories + 0x1003
	.quad	boot_directories + 0x2003, boot_directories + 0x3003
	.fill	508, 8, 0
boot_directories:
	.set	page, 0
	.rept	2048
	.quad	page + 0x83
	.set	page, page + 0x200000
	.endr

	.bss
	.balign	STACK_SIZE
processor_stacks:
	.skip	STACK_SIZE * STACKS

	.section .note.GNU-stack, "", @progbits
