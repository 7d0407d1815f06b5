# SPDX-License-Identifier: Apache-2.0
# From QEMU's loader to C++.

#define CR4_PAE_FXSR_XMM 0x620
#define CR0_PG_WP_NE_MP_PE 0x80010023
#define MSR_EFER 0xc0000080
#define EFER_SVME_NXE_LME_SCE 0x1901

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
	movl	$boot_stack_top, %esp
	movl	$CR4_PAE_FXSR_XMM, %eax
	movl	%eax, %cr4
	movl	$boot_root, %eax
	movl	%eax, %cr3
	# Without SVM this faults, and QEMU resets: nobody could print a line yet.
	movl	$0x80000001, %eax
	cpuid
	btl	$2, %ecx
	jnc	no_svm
	movl	$MSR_EFER, %ecx
	movl	$EFER_SVME_NXE_LME_SCE, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_PG_WP_NE_MP_PE, %eax
	movl	%eax, %cr0
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
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$boot_stack_top, %esp
	movl	%edi, %edi
	xorl	%ebp, %ebp
	call	MonitorMain
	ud2
	.size	monitor_start, . - monitor_start

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
# FROM:    the processor, when STGI lets in an NMI that has made a guest exit.
# STATE:   IF = 0, the monitor's stack.
# LIVE IN: everything; the processor's frame.
exception_2:
	movl	$1, nmi_is_pending(%rip)
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
	.balign	4096
	.globl	nmi_is_pending
nmi_is_pending:
	.skip	4
	.balign	4096
boot_stack:
	.skip	262144
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
