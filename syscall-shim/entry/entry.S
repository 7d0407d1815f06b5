/* SPDX-License-Identifier: Apache-2.0 */
/* Every way from the program into the library OS, and back.
 *
 * Ticks are off (slot.irq_off = 1) from the moment the library OS has something to lose until the program's state is whole
 * again. Each thread has a kernel stack with its Thread at the top; while the program runs it is empty:
 *
 *   Thread                 gs:LIBOS_SLOT_CURRENT
 *   struct SyscallRecord   8 words, pushed by a call; stays as it is until the next one
 *   struct nsgx_frame      64-byte aligned; only when the whole state of the program is needed
 *   C++
 */
#include "libos/kernel/cpu_offsets.h"
#include "syscall-shim/table/limits.h"

.macro function name:req
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
.endm
.macro endfunction name:req
	.size	\name, . - \name
.endm

/* Pushes struct SyscallRecord. rsp = Thread; LIVE: the system-call registers named; user_rsp in \user. */
.macro push_record user:req, number:req, a1:req, a2:req, a3:req, a4:req, a5:req, a6:req
	push	\user
	push	\number
	push	\a1
	push	\a2
	push	\a3
	push	\a4
	push	\a5
	push	\a6
.endm

/* Makes room for an nsgx_frame below the record and puts its address into rdi and rsp. rsp = record; rcx is lost. */
.macro make_frame
	mov	%rsp, %rdi
	sub	libos_frame_size(%rip), %rdi
	and	$-64, %rdi
	mov	%rdi, %rsp
.endm

/* There was no exception. rax = 0, rdi = frame. */
.macro clear_cause
	mov	%rax, LIBOS_FRAME_CAUSE(%rdi)
	mov	%rax, LIBOS_FRAME_ERROR_CODE(%rdi)
	mov	%rax, LIBOS_FRAME_ADDRESS(%rdi)
.endm

/* Saves the extended state in the frame at rdi. eax, edx, ecx are lost. The header is cleared first: XSAVE writes a part only. A
 * processor without XSAVE has no components, and no header. */
.macro save_extended
	mov	libos_frame_size(%rip), %ecx
	sub	$NSGX_FRAME_XSAVE, %ecx
	mov	%ecx, LIBOS_FRAME_XSAVE_SIZE(%rdi)
	mov	libos_xsave_mask(%rip), %eax
	mov	libos_xsave_mask + 4(%rip), %edx
	test	%eax, %eax
	jz	.Lfxsave\@
	xor	%ecx, %ecx
	.irp	offset, 0, 8, 16, 24, 32, 40, 48, 56
	mov	%rcx, NSGX_FRAME_XSAVE + 512 + \offset(%rdi)
	.endr
	xsave64	NSGX_FRAME_XSAVE(%rdi)
.Lsaved\@:
	.subsection 1
.Lfxsave\@:
	fxsave64 NSGX_FRAME_XSAVE(%rdi)
	jmp	.Lsaved\@
	.previous
.endm

	.text
	.hidden	libos_syscall_table
	.hidden	nsgx_syscall_60
	.hidden	libos_unknown_syscall
	.hidden	libos_frame_size
	.hidden	libos_xsave_mask
	.hidden	libos_run_deferred
	.hidden	libos_leave_call
	.hidden	libos_leave_raw_call
	.hidden	libos_leave_handler
	.hidden	libos_take_exception
	.hidden	libos_program_exception
	.hidden	libos_clone_thread
	.hidden	libos_exit_and_unmap
	.hidden	libos_map_stack
	.hidden	libos_protect_stack
	.hidden	libos_unmap_stack

/* ---- calls ------------------------------------------------------------------------------------------------------ */

/* long libos_syscall(long number, long a1, ..., long a6)
 * FROM: the C library; MakeCallAgain in signal.cc. STATE: program, its stack, ticks on.
 * LIVE: rdi = number, rsi, rdx, rcx, r8, r9 = a1 to a5, 8(rsp) = a6. An ordinary call: what is caller-saved may be lost. */
function libos_syscall
	lea	libos_syscall_table(%rip), %r11
	cmp	$SYSCALL_COUNT, %rdi
	jae	.Lunknown
	mov	(%r11, %rdi, 8), %r11

/* FROM: above and below. LIVE: r11 = int64_t handler(number, a1, ..., a6), the rest as above. */
.Lcall:
	mov	%rsp, %rax
	movb	$1, %gs:NSGX_SLOT_IRQ_OFF
	mov	%gs:LIBOS_SLOT_CURRENT, %rsp
	push_record %rax, %rdi, %rsi, %rdx, %rcx, %r8, %r9, 8(%rax)
	call	*%r11			/* a6 lies where a seventh argument is expected */
	mov	%gs:LIBOS_SLOT_CURRENT, %rcx
	cmpb	$0, %gs:NSGX_SLOT_PENDING
	jne	.Lcall_deferred
	cmpl	$0, LIBOS_THREAD_ATTENTION(%rcx)
	jne	.Lcall_attention
.Lcall_done:
	/* A tick from here on finds the program's stack, or is pending until the next call or tick. */
	mov	LIBOS_RECORD_USER_RSP(%rsp), %rsp
	movb	$0, %gs:NSGX_SLOT_IRQ_OFF
	ret

.Lunknown:
	lea	libos_unknown_syscall(%rip), %r11
	jmp	.Lcall

/* LIVE: rax = result; the program's callee-saved registers are in place; rsp = record. */
.Lcall_deferred:
	push	%rax
	sub	$8, %rsp
	call	libos_run_deferred
	add	$8, %rsp
	pop	%rax
	mov	%gs:LIBOS_SLOT_CURRENT, %rcx
	cmpl	$0, LIBOS_THREAD_ATTENTION(%rcx)
	je	.Lcall_done
.Lcall_attention:
	/* The program as it will be after the call returns. What a call may change is zero. */
	mov	%rsp, %rsi		/* record */
	mov	LIBOS_RECORD_USER_RSP(%rsp), %r8
	make_frame
	mov	%rax, NSGX_FRAME_RAX(%rdi)
	mov	%rbx, NSGX_FRAME_RBX(%rdi)
	mov	%rbp, NSGX_FRAME_RBP(%rdi)
	mov	%r12, NSGX_FRAME_R12(%rdi)
	mov	%r13, NSGX_FRAME_R13(%rdi)
	mov	%r14, NSGX_FRAME_R14(%rdi)
	mov	%r15, NSGX_FRAME_R15(%rdi)
	mov	(%r8), %rax		/* the return address: libos_syscall was called with it, so it can be read */
	mov	%rax, NSGX_FRAME_RIP(%rdi)
	add	$8, %r8
	mov	%r8, NSGX_FRAME_RSP(%rdi)
	movq	$0x202, NSGX_FRAME_RFLAGS(%rdi)
	xor	%eax, %eax
	.irp	field, NSGX_FRAME_R8, NSGX_FRAME_R9, NSGX_FRAME_R10, NSGX_FRAME_R11, NSGX_FRAME_RDI, NSGX_FRAME_RSI, NSGX_FRAME_RDX
	mov	%rax, \field(%rdi)
	.endr
	mov	%rax, NSGX_FRAME_RCX(%rdi)
	clear_cause
	save_extended
	mov	%rdi, %rbx
	call	libos_leave_call	/* (frame, record) */
	mov	%rbx, %rdi
	jmp	libos_resume_program
endfunction libos_syscall

/* int libos_clone(start = rdi, stack = rsi, flags = rdx, argument = rcx, parent_tid = r8, thread_pointer = r9, child_tid = 8(rsp))
 * FROM: the C library. As a call whose handler is libos_clone_thread; the first argument takes the place of the number. */
function libos_clone
	lea	libos_clone_thread(%rip), %r11
	jmp	.Lcall
endfunction libos_clone

/* void libos_unmapself(base = rdi, size = rsi). FROM: the C library, in a thread that ends. Does not return. */
function libos_unmapself
	lea	libos_exit_and_unmap(%rip), %r11
	jmp	.Lcall
endfunction libos_unmapself

/* int libos_set_tls(pointer = rdi). FROM: the C library. The context switch saves and loads the FS base. */
function libos_set_tls
	wrfsbase %rdi
	xor	%eax, %eax
	ret
endfunction libos_set_tls

/* Thread stacks: (address, size, protection), (address, size, protection), (address, size). FROM: below.cc. Results as of system calls. */
function libos_call_map_stack
	lea	libos_map_stack(%rip), %r11
	jmp	.Lcall
endfunction libos_call_map_stack

function libos_call_protect_stack
	lea	libos_protect_stack(%rip), %r11
	jmp	.Lcall
endfunction libos_call_protect_stack

function libos_call_unmap_stack
	lea	libos_unmap_stack(%rip), %r11
	jmp	.Lcall
endfunction libos_call_unmap_stack

/* int64_t libos_enter(handler = rdi, a1 to a5 = rsi, rdx, rcx, r8, r9, a6 = 8(rsp)): handler(handler, a1, ..., a6) as the handler of a call.
 * FROM: parts of the library OS that only some programs link (libos/attest), and that therefore are not in the table. */
function libos_enter
	mov	%rdi, %r11
	jmp	.Lcall
endfunction libos_enter

/* FROM: the SEH, in place of a `syscall` instruction in the program. STATE: program's stack, ticks on.
 * LIVE: everything; rcx = next rip, r11 = flags, rax = number, rdi, rsi, rdx, r10, r8, r9 = arguments. */
function libos_raw_syscall_entry
	movb	$1, %gs:NSGX_SLOT_IRQ_OFF
	mov	%rsp, %gs:LIBOS_SLOT_RETURN	/* free while ticks are off */
	mov	%gs:LIBOS_SLOT_CURRENT, %rsp
	push_record %gs:LIBOS_SLOT_RETURN, %rax, %rdi, %rsi, %rdx, %r10, %r8, %r9
	mov	%rsp, %rsi		/* record */
	make_frame
	mov	%rcx, NSGX_FRAME_RIP(%rdi)
	mov	%rcx, NSGX_FRAME_RCX(%rdi)
	mov	%r11, NSGX_FRAME_RFLAGS(%rdi)
	mov	%r11, NSGX_FRAME_R11(%rdi)
	mov	%rdx, NSGX_FRAME_RDX(%rdi)
	mov	%rbx, NSGX_FRAME_RBX(%rdi)
	mov	%rbp, NSGX_FRAME_RBP(%rdi)
	mov	%r8, NSGX_FRAME_R8(%rdi)
	mov	%r9, NSGX_FRAME_R9(%rdi)
	mov	%r10, NSGX_FRAME_R10(%rdi)
	mov	%r12, NSGX_FRAME_R12(%rdi)
	mov	%r13, NSGX_FRAME_R13(%rdi)
	mov	%r14, NSGX_FRAME_R14(%rdi)
	mov	%r15, NSGX_FRAME_R15(%rdi)
	mov	LIBOS_RECORD_A1(%rsi), %rax
	mov	%rax, NSGX_FRAME_RDI(%rdi)
	mov	LIBOS_RECORD_A2(%rsi), %rax
	mov	%rax, NSGX_FRAME_RSI(%rdi)
	mov	LIBOS_RECORD_USER_RSP(%rsi), %rax
	mov	%rax, NSGX_FRAME_RSP(%rdi)
	xor	%eax, %eax
	clear_cause
	save_extended
	cld

	mov	%rdi, %rbx		/* frame */
	mov	%rsi, %rbp		/* record */
	mov	%gs:LIBOS_SLOT_CURRENT, %rax
	mov	%rbx, LIBOS_THREAD_RAW_FRAME(%rax)
	mov	LIBOS_RECORD_NUMBER(%rbp), %rdi
	lea	libos_unknown_syscall(%rip), %rax
	cmp	$SYSCALL_COUNT, %rdi
	jae	1f
	lea	libos_syscall_table(%rip), %rax
	mov	(%rax, %rdi, 8), %rax
1:	mov	LIBOS_RECORD_A1(%rbp), %rsi
	mov	LIBOS_RECORD_A2(%rbp), %rdx
	mov	LIBOS_RECORD_A3(%rbp), %rcx
	mov	LIBOS_RECORD_A4(%rbp), %r8
	mov	LIBOS_RECORD_A5(%rbp), %r9
	sub	$8, %rsp
	push	LIBOS_RECORD_A6(%rbp)
	call	*%rax
	add	$16, %rsp
	mov	%rax, NSGX_FRAME_RAX(%rbx)
	mov	%gs:LIBOS_SLOT_CURRENT, %rax
	movq	$0, LIBOS_THREAD_RAW_FRAME(%rax)
	mov	%rbx, %rdi
	mov	%rbp, %rsi
	call	libos_leave_raw_call	/* (frame, record) */
	mov	%rbx, %rdi
	jmp	libos_resume_program
endfunction libos_raw_syscall_entry

/* FROM: the `ret` of a signal handler. STATE: program, ticks on. LIVE: rsp = address of the signal frame's user context. */
function libos_sigreturn
	movb	$1, %gs:NSGX_SLOT_IRQ_OFF
	mov	%rsp, %rbp
	mov	%gs:LIBOS_SLOT_CURRENT, %rsp
	sub	$LIBOS_RECORD_SIZE, %rsp
	make_frame
	save_extended			/* the area's fixed parts */
	cld
	mov	%rdi, %rbx
	mov	%rbp, %rsi
	call	libos_leave_handler	/* (frame, address) */
	mov	%rbx, %rdi
	jmp	libos_resume_program
endfunction libos_sigreturn

/* ---- exceptions and ticks --------------------------------------------------------------------------------------- */

/* FROM: the SEH. STATE: whatever was interrupted lies in the frame; slot.in_exception = 1, on the slot's exception stack.
 * LIVE: rdi = frame, rsi = cause. */
function libos_exception_entry
	and	$-16, %rsp
	push	%rdi
	sub	$8, %rsp
	call	libos_take_exception	/* returns 0, 1, or a copy of the frame on the kernel stack */
	add	$8, %rsp
	pop	%rdi
	cmp	$1, %rax
	jb	libos_resume_program
	je	libos_resume_library
	/* The program was interrupted and there is more to do, on the thread's kernel stack, with ticks off. */
	mov	%rax, %rsp
	mov	%rax, %rbx
	mov	%rax, %rdi
	call	libos_program_exception	/* (frame) */
	mov	%rbx, %rdi
	jmp	libos_resume_program
endfunction libos_exception_entry

/* Loads everything from the frame at rdi but what iretq loads, which goes to the slot's return frame. */
.macro load_frame
	mov	libos_xsave_mask(%rip), %eax
	mov	libos_xsave_mask + 4(%rip), %edx
	test	%eax, %eax
	jz	.Lfxrstor\@
	xrstor64 NSGX_FRAME_XSAVE(%rdi)
.Lrestored\@:
	.subsection 1
.Lfxrstor\@:
	fxrstor64 NSGX_FRAME_XSAVE(%rdi)
	jmp	.Lrestored\@
	.previous
	mov	NSGX_FRAME_RIP(%rdi), %rax
	mov	%rax, %gs:LIBOS_SLOT_RETURN
	xor	%eax, %eax
	mov	%cs, %eax
	mov	%rax, %gs:LIBOS_SLOT_RETURN + 8
	mov	NSGX_FRAME_RFLAGS(%rdi), %rax
	mov	%rax, %gs:LIBOS_SLOT_RETURN + 16
	mov	NSGX_FRAME_RSP(%rdi), %rax
	mov	%rax, %gs:LIBOS_SLOT_RETURN + 24
	xor	%eax, %eax
	mov	%ss, %eax
	mov	%rax, %gs:LIBOS_SLOT_RETURN + 32
	mov	%gs:NSGX_SLOT_SELF, %rax
	lea	LIBOS_SLOT_RETURN(%rax), %rsp
	mov	NSGX_FRAME_R8(%rdi), %r8
	mov	NSGX_FRAME_R9(%rdi), %r9
	mov	NSGX_FRAME_R10(%rdi), %r10
	mov	NSGX_FRAME_R11(%rdi), %r11
	mov	NSGX_FRAME_R12(%rdi), %r12
	mov	NSGX_FRAME_R13(%rdi), %r13
	mov	NSGX_FRAME_R14(%rdi), %r14
	mov	NSGX_FRAME_R15(%rdi), %r15
	mov	NSGX_FRAME_RSI(%rdi), %rsi
	mov	NSGX_FRAME_RBP(%rdi), %rbp
	mov	NSGX_FRAME_RBX(%rdi), %rbx
	mov	NSGX_FRAME_RDX(%rdi), %rdx
	mov	NSGX_FRAME_RAX(%rdi), %rax
	mov	NSGX_FRAME_RCX(%rdi), %rcx
	mov	NSGX_FRAME_RDI(%rdi), %rdi
.endm

/* void libos_resume_program(nsgx_frame* frame = rdi)
 * FROM: all of the above; clone of raw calls. STATE: libOS, ticks off or in an exception. Does not return. */
function libos_resume_program
	load_frame
	movb	$0, %gs:NSGX_SLOT_IN_EXCEPTION
	/* A tick from here on finds the program's registers, but rip, rsp and flags in the return frame: see exception.cc. */
	.globl	libos_return_begin
	.hidden	libos_return_begin
libos_return_begin:
	movb	$0, %gs:NSGX_SLOT_IRQ_OFF
	iretq
	.globl	libos_return_end
	.hidden	libos_return_end
libos_return_end:
	ud2				/* not reached */
endfunction libos_resume_program

/* FROM: libos_exception_entry, after a fault inside the library OS that was mended. Ticks stay off. LIVE: rdi = frame. */
function libos_resume_library
	load_frame
	movb	$0, %gs:NSGX_SLOT_IN_EXCEPTION
	iretq
endfunction libos_resume_library

/* ---- threads ---------------------------------------------------------------------------------------------------- */

/* void libos_start_program_thread(start = rdi, argument = rsi, stack = rdx)
 * FROM: clone.cc, on the new thread's kernel stack, ticks off. Does not return. */
function libos_start_program_thread
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsp
	and	$-16, %rsp
	xor	%ebp, %ebp
	movb	$0, %gs:NSGX_SLOT_IRQ_OFF
	call	*%rax
	mov	%eax, %esi
	mov	$SYSCALL_EXIT, %edi
	.reloc	., R_X86_64_NONE, nsgx_syscall_60	/* keeps its handler: see records.S */
	sub	$8, %rsp
	push	$0			/* the sixth argument's place */
	call	libos_syscall
	ud2
endfunction libos_start_program_thread

	.section .note.GNU-stack, "", @progbits
