# SPDX-License-Identifier: Apache-2.0
# From the state in which a host starts VMPL0 to C++ in the upper half.
#include "vmpl-switch/snp/image/layout.h"

#define PHYSICAL(symbol) (symbol - SEH_IMAGE_OFFSET)


#define CR0_PAGING 0x80000000
#define CR0_WRITE_PROTECT 0x00010000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900

	.section .text.entry, "ax", @progbits
	.globl	seh_entry
	.type	seh_entry, @function
	.code32
# FROM:    the host, once: the VMSA of the IGVM file.
# STATE:   protected mode, flat 32-bit segments, no paging: every access is private. No stack.
# LIVE IN: nothing.
seh_entry:
	cli
	cld
	movl	$PHYSICAL(boot_stack_top), %esp

	# The C-bit's position is in the CPUID page, which the firmware has checked.
	movl	$SEH_CPUID_PAGE, %esi
	movl	(%esi), %ecx
	addl	$ENTRY_CPUID_ENTRIES, %esi
	cmpl	$ENTRY_CPUID_MAX_ENTRIES, %ecx
	ja	no_encryption_bit
1:	testl	%ecx, %ecx
	jz	no_encryption_bit
	cmpl	$ENTRY_CPUID_LEAF, (%esi)
	je	2f
	addl	$ENTRY_CPUID_ENTRY_SIZE, %esi
	decl	%ecx
	jmp	1b
2:	movl	ENTRY_CPUID_EBX(%esi), %ecx		# ebx of the answer
	andl	$0x3f, %ecx
	subl	$32, %ecx			# the upper half of a table entry has it
	jb	no_encryption_bit
	cmpl	$20, %ecx
	jae	no_encryption_bit
	movl	$1, %ebp
	shll	%cl, %ebp
	movl	%ebp, PHYSICAL(boot_encryption_bit) + 4

	# One directory of 2 MiB pages for the first GiB, seen three times: at its own address until we
	# have jumped, as the direct map, and as the image.
	movl	$PHYSICAL(boot_directory), %edi
	movl	$0x83, %eax			# present, writable, large
	movl	$512, %ecx
3:	movl	%eax, (%edi)
	movl	%ebp, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	decl	%ecx
	jnz	3b
	movl	$PHYSICAL(boot_directory) + 3, %eax
	movl	%eax, PHYSICAL(boot_low)
	movl	%ebp, PHYSICAL(boot_low) + 4
	movl	%eax, PHYSICAL(boot_high) + 510 * 8
	movl	%ebp, PHYSICAL(boot_high) + 510 * 8 + 4
	movl	$PHYSICAL(boot_low) + 3, %eax
	movl	%eax, PHYSICAL(boot_root)
	movl	%ebp, PHYSICAL(boot_root) + 4
	movl	%eax, PHYSICAL(boot_root) + 256 * 8
	movl	%ebp, PHYSICAL(boot_root) + 256 * 8 + 4
	movl	$PHYSICAL(boot_high) + 3, %eax
	movl	%eax, PHYSICAL(boot_root) + 511 * 8
	movl	%ebp, PHYSICAL(boot_root) + 511 * 8 + 4

	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$PHYSICAL(boot_root), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME_NXE, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PAGING | CR0_WRITE_PROTECT, %eax
	movl	%eax, %cr0
	lgdt	PHYSICAL(boot_gdt_register)
	ljmp	$8, $PHYSICAL(long_mode)

# FROM:    above.
# STATE:   as there.
no_encryption_bit:
	movl	$ENTRY_MSR_GHCB, %ecx
	movl	$ENTRY_TERMINATE, %eax
	xorl	%edx, %edx
	wrmsr
	rep; vmmcall
	hlt
	jmp	no_encryption_bit

	.code64
# FROM:    above.
# STATE:   64-bit mode at the physical address; the boot tables.
# LIVE IN: nothing.
long_mode:
	xorl	%eax, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movabsq	$upper_half, %rax
	jmpq	*%rax

# FROM:    above.
# STATE:   64-bit mode in the upper half; the boot tables.
# LIVE IN: nothing.
upper_half:
	leaq	boot_stack_top(%rip), %rsp
	# The walk of page tables is private anyway; this is what the SEH's own tables will look like.
	leaq	boot_root(%rip), %rax
	movabsq	$SEH_IMAGE_OFFSET, %rcx
	subq	%rcx, %rax
	orq	boot_encryption_bit(%rip), %rax
	movq	%rax, %cr3
	xorl	%ebp, %ebp
	movq	boot_encryption_bit(%rip), %rdi
	call	SehMain
	ud2
	.size	seh_entry, . - seh_entry

	.section .rodata.boot, "a", @progbits
	.balign	8
boot_gdt:
	.quad	0, 0x00af9b000000ffff
boot_gdt_register:
	.word	15
	.long	PHYSICAL(boot_gdt)

	.bss
	.balign	4096
boot_root:
	.skip	4096
boot_low:
	.skip	4096
boot_high:
	.skip	4096
boot_directory:
	.skip	4096
	.globl	boot_stack_guard		# not mapped by the SEH's own tables
boot_stack_guard:
	.skip	4096
boot_stack:
	.skip	65536
	.globl	boot_stack_top
boot_stack_top:
	.balign	8
boot_encryption_bit:
	.skip	8

	.section .note.GNU-stack, "", @progbits
