# SPDX-License-Identifier: Apache-2.0
# A guest of the emulated machine that looks at the machine: start, traps, and the note from which
# the IGVM file is made.

#define REGION 0x8000000
#define REGION_SIZE 0x1000000
#define CPUID_PAGE REGION
#define ENCRYPTION_LEAF 0x8000001f
#define MSR_EFER 0xc0000080

	.section .note.nsgx, "a", @note
	.balign 4
	.long	5, 64, 1
	.asciz	"NSGX"
	.balign 4
	.quad	CPUID_PAGE, REGION + 0x1000, REGION + 0x2000, REGION + 0x3000
	.quad	0, 4, REGION, REGION_SIZE

	.section .text.entry, "ax", @progbits
	.globl	payload_entry
	.type	payload_entry, @function
	.code32
# FROM:    the host, once: the VMSA of the IGVM file.
# STATE:   32-bit protected mode, no paging. No stack.
# LIVE IN: nothing.
payload_entry:
	cli
	cld
	movl	$CPUID_PAGE + 16, %esi
1:	cmpl	$ENCRYPTION_LEAF, (%esi)
	je	2f
	addl	$48, %esi
	jmp	1b
2:	movl	0x1c(%esi), %ecx
	andl	$0x3f, %ecx
	movl	%ecx, encryption_bit_number
	subl	$32, %ecx
	movl	$1, %ebp
	shll	%cl, %ebp

	# The first GiB at its own address, private, by pages of 2 MiB.
	movl	$directory, %edi
	movl	$0x83, %eax
	movl	$512, %ecx
3:	movl	%eax, (%edi)
	movl	%ebp, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	decl	%ecx
	jnz	3b
	movl	$directory + 3, pointers
	movl	%ebp, pointers + 4
	movl	$pointers + 3, root
	movl	%ebp, root + 4
	# The first four GiB once more, shared, from 512 GiB on.
	movl	$shared_pointers, %edi
	movl	$0x83, %eax
	movl	$4, %ecx
4:	movl	%eax, (%edi)
	addl	$0x40000000, %eax
	addl	$8, %edi
	decl	%ecx
	jnz	4b
	movl	$shared_pointers + 3, root + 8
	movl	%ebp, root + 12

	movl	%cr4, %eax
	orl	$0x620, %eax			# PAE, OSFXSR, OSXMMEXCPT
	movl	%eax, %cr4
	movl	$root, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$0x901, %eax			# NXE, LME, SCE
	wrmsr
	movl	%cr0, %eax
	orl	$0x80010002, %eax		# PG, WP, MP
	andl	$~0x4, %eax			# EM
	movl	%eax, %cr0
	lgdt	gdt_register
	ljmp	$8, $long_mode

	.code64
# FROM:    above.
# STATE:   64-bit mode.
# LIVE IN: nothing.
long_mode:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	leaq	stack_top(%rip), %rsp
	xorl	%ebp, %ebp
	call	PayloadMain
	ud2
	.size	payload_entry, . - payload_entry

	.text
	.globl	lower_entry
	.type	lower_entry, @function
# FROM:    the VMSA that the payload has made for VMPL1.
# STATE:   64-bit mode, the same tables, the stack from the VMSA.
# LIVE IN: nothing.
lower_entry:
	call	LowerMain
	ud2
	.size	lower_entry, . - lower_entry

	.globl	racer_entry
	.type	racer_entry, @function
# FROM:    the VMSA that the payload has made for another processor.
# STATE:   64-bit mode, the same tables, the stack from the VMSA.
# LIVE IN: rdi = its struct Racer.
racer_entry:
	call	RacerMain
	ud2
	.size	racer_entry, . - racer_entry

	.globl	RaceRead
	.globl	RaceWrite
	.globl	race_read
	.globl	race_write
	.globl	race_denied
# FROM:    C++: bool RaceRead(uint64_t address), bool RaceWrite(uint64_t address).
# STATE:   any.
# LIVE IN: rdi.
RaceRead:
race_read:
	movq	(%rdi), %rax
	movl	$1, %eax
	ret
RaceWrite:
race_write:
	movq	%rdi, (%rdi)
	movl	$1, %eax
	ret
# FROM:    PayloadTrap, when one of the two has trapped.
# STATE:   as there.
# LIVE IN: nothing.
race_denied:
	xorl	%eax, %eax
	ret

	.globl	return_only
# FROM:    C++, as a function; copied into pages that may or may not be run.
# STATE:   any.
# LIVE IN: nothing.
return_only:
	ret

.macro VECTOR number, has_error
	.balign 16
vector_\number:
	.if \has_error == 0
	pushq	$0
	.endif
	pushq	$\number
	jmp	enter
.endm
	.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 31, 64
	VECTOR \number, 0
	.endr
	.irp number, 8, 10, 11, 12, 13, 14, 17, 21, 29, 30
	VECTOR \number, 1
	.endr

# FROM:    the vectors.
# STATE:   IF = 0; vector and error code on the stack, above them the processor's frame.
# LIVE IN: everything.
enter:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %rdi
	cld
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	PayloadTrap
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

	.section .rodata, "a", @progbits
	.balign	8
	.globl	trap_entries
trap_entries:
	.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	.quad	vector_\number
	.endr
	.irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 64
	.quad	vector_\number
	.endr

	.data
	.balign	8
	.globl	gdt
gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.globl	gdt_tss
gdt_tss:
	.quad	0, 0
gdt_register:
	.word	39
	.long	gdt, 0
	.globl	encryption_bit_number
encryption_bit_number:
	.quad	0

	.bss
	.balign	4096
	.globl	root
root:
	.skip	4096
pointers:
	.skip	4096
shared_pointers:
	.skip	4096
	.globl	directory
directory:
	.skip	4096
stack:
	.skip	65536
stack_top:

	.section .note.GNU-stack, "", @progbits
