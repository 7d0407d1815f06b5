/* SPDX-License-Identifier: Apache-2.0 */
/* See user_access.h. C calling convention. Everything between begin and end may fault: nothing is pushed there, and the
 * exception code continues at libos_user_access_failed with the stack as at the function's entry. */

.macro function name:req
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
.endm
.macro label name:req
	.globl	\name
	.hidden	\name
\name:
.endm

	.text
label libos_user_access_begin

/* 64 bytes at rcx behind rsi, to the same behind rdi. */
.macro COPY_LINE
	movdqu	(%rsi, %rcx), %xmm0
	movdqu	16(%rsi, %rcx), %xmm1
	movdqu	32(%rsi, %rcx), %xmm2
	movdqu	48(%rsi, %rcx), %xmm3
	movdqu	%xmm0, (%rdi, %rcx)
	movdqu	%xmm1, 16(%rdi, %rcx)
	movdqu	%xmm2, 32(%rdi, %rcx)
	movdqu	%xmm3, 48(%rdi, %rcx)
.endm

/* uint64_t libos_user_copy(void* to = rdi, const void* from = rsi, size_t size = rdx) */
function libos_user_copy
	xor	%eax, %eax
	cmp	$16, %rdx
	ja	.Lmore_than_16
	cmp	$8, %edx
	jae	.L8_to_16
	cmp	$4, %edx
	jae	.L4_to_7
	test	%edx, %edx
	jz	.Ldone
.Lbytes:
	movzbl	-1(%rsi, %rdx), %ecx
	mov	%cl, -1(%rdi, %rdx)
	dec	%edx
	jnz	.Lbytes
.Ldone:
	ret
.L8_to_16:
	mov	(%rsi), %rcx
	mov	-8(%rsi, %rdx), %r8
	mov	%rcx, (%rdi)
	mov	%r8, -8(%rdi, %rdx)
	ret
.L4_to_7:
	mov	(%rsi), %ecx
	mov	-4(%rsi, %rdx), %r8d
	mov	%ecx, (%rdi)
	mov	%r8d, -4(%rdi, %rdx)
	ret
.Lmore_than_16:
	cmp	$256, %rdx
	ja	.Lmore_than_256
	movdqu	-16(%rsi, %rdx), %xmm1
	lea	-16(%rdi, %rdx), %r9
	xor	%ecx, %ecx
.Lblocks:
	movdqu	(%rsi, %rcx), %xmm0
	movdqu	%xmm0, (%rdi, %rcx)
	add	$16, %rcx
	lea	(%rdi, %rcx), %r8
	cmp	%r9, %r8
	jb	.Lblocks
	movdqu	%xmm1, (%r9)
	ret
.Lmore_than_256:
	/* The string instruction takes long to start, and on some processors it is ten times slower unless source and
	 * target lie alike in cache lines. */
	mov	%edi, %ecx
	sub	%esi, %ecx
	test	$63, %ecx
	jz	.Lstring
	lea	-64(%rdx), %r8
	xor	%ecx, %ecx
.Llines:
	COPY_LINE
	add	$64, %rcx
	cmp	%r8, %rcx
	jb	.Llines
	mov	%r8, %rcx		/* the last 64 bytes, some of them again */
	COPY_LINE
	ret
.Lstring:
	mov	%rdx, %rcx
	rep	movsb
	ret
	.size	libos_user_copy, . - libos_user_copy

/* uint64_t libos_user_zero(void* to = rdi, size_t size = rsi) */
function libos_user_zero
	xor	%eax, %eax
	mov	%rsi, %rcx
	rep	stosb
	ret
	.size	libos_user_zero, . - libos_user_zero

/* uint64_t libos_user_load32(const void* from = rdi) */
function libos_user_load32
	mov	(%rdi), %eax
	ret
	.size	libos_user_load32, . - libos_user_load32

/* uint64_t libos_user_compare_exchange32(void* at = rdi, uint32_t expected = esi, uint32_t wanted = edx) */
function libos_user_compare_exchange32
	mov	%esi, %eax
	lock cmpxchg %edx, (%rdi)
	mov	%eax, %eax		/* the old value, with zeros above */
	ret
	.size	libos_user_compare_exchange32, . - libos_user_compare_exchange32

label libos_user_access_end

/* FROM: exception.cc, in place of a faulting instruction above. LIVE: the return address at rsp. */
label libos_user_access_failed
	mov	$-1, %rax
	ret

	.section .note.GNU-stack, "", @progbits
