/* SPDX-License-Identifier: Apache-2.0 */
/* The enclave of the switch tests, see blob.h. Position-independent. A routine is an entry point:
 *
 * FROM:  enter, first entry of a slot.
 * STATE: enclave; GS = rdi = slot, the slot's stack, all other registers zero.
 * LIVE:  rdi. */
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/sim/blob.h"
#include "vmpl-switch/sim/layout.h"

        .section .rodata.nsgx_sim_blob, "a", @progbits
        .balign 4096
        .globl nsgx_sim_blob_begin, nsgx_sim_blob_end
nsgx_sim_blob_begin:

/* FS = this slot's data area. Clobbers rax and r11. */
.macro START
        mov %gs:NSGX_SLOT_INDEX, %eax
        imul $BLOB_DATA_STRIDE, %eax, %eax
        lea nsgx_sim_blob_begin+BLOB_DATA(%rip), %r11
        add %r11, %rax
        wrfsbase %rax
.endm

.macro DONE
        mov $NSGX_GATE_DONE, %edi
        mov %fs:BLOB_RESULT, %rsi
        call *%gs:NSGX_SLOT_GATE
        ud2
.endm

/* Clobbers nothing, not even flags. */
.macro STORE_GENERAL
        mov %rax, %gs:BLOB_GENERAL+0x00
        mov %rbx, %gs:BLOB_GENERAL+0x08
        mov %rcx, %gs:BLOB_GENERAL+0x10
        mov %rdx, %gs:BLOB_GENERAL+0x18
        mov %rsi, %gs:BLOB_GENERAL+0x20
        mov %rdi, %gs:BLOB_GENERAL+0x28
        mov %rbp, %gs:BLOB_GENERAL+0x30
        mov %r8, %gs:BLOB_GENERAL+0x38
        mov %r9, %gs:BLOB_GENERAL+0x40
        mov %r10, %gs:BLOB_GENERAL+0x48
        mov %r11, %gs:BLOB_GENERAL+0x50
        mov %r12, %gs:BLOB_GENERAL+0x58
        mov %r13, %gs:BLOB_GENERAL+0x60
        mov %r14, %gs:BLOB_GENERAL+0x68
        mov %r15, %gs:BLOB_GENERAL+0x70
        mov %rsp, %gs:BLOB_GENERAL+BLOB_GENERAL_RSP
        pushfq
        popq %gs:BLOB_GENERAL+BLOB_GENERAL_FLAGS
        mov %rax, %fs:BLOB_SCRATCH
        rdfsbase %rax
        mov %rax, %gs:BLOB_GENERAL+BLOB_GENERAL_FS
        rdgsbase %rax
        mov %rax, %gs:BLOB_GENERAL+BLOB_GENERAL_GS
        mov %fs:BLOB_SCRATCH, %rax
.endm

/* Clobbers rax, rdx. */
.macro STORE_VECTORS
        mov %fs:BLOB_XCR0, %eax
        xor %edx, %edx
        xsave64 %fs:BLOB_XSAVE
.endm

/* Stores all registers as found at the first entry. FS is zero there, so STORE_GENERAL cannot be
 * used whole. */
        .globl nsgx_sim_blob_first
nsgx_sim_blob_first:
        mov %rax, %gs:BLOB_GENERAL+0x00
        rdfsbase %rax
        mov %rax, %gs:BLOB_GENERAL+BLOB_GENERAL_FS
        mov %gs:BLOB_GENERAL+0x00, %rax
        mov %r11, %gs:BLOB_GENERAL+0x50
        START
        mov %gs:BLOB_GENERAL+0x50, %r11
        mov %gs:BLOB_GENERAL+0x00, %rax
        mov %gs:BLOB_GENERAL+BLOB_GENERAL_FS, %r10
        mov %r10, %fs:BLOB_RESULT
        xor %r10d, %r10d
        STORE_GENERAL
        STORE_VECTORS
        DONE

/* One host call, with everything that a gate has to hide or to keep; then stores what came back.
 * ARGUMENT: flags to set before. */
        .globl nsgx_sim_blob_leave
nsgx_sim_blob_leave:
        START
        call .Ldirty_vectors
        /* Vector state that the host must not see, control words that it must not get. */
        mov %fs:BLOB_XCR0, %eax
        xor %edx, %edx
        xrstor64 %fs:BLOB_WANTED_XSAVE
        mov $0xe0c1a5e5, %eax
        mov %rax, %rbx
        mov %rax, %rbp
        mov %rax, %r12
        mov %rax, %r13
        mov %rax, %r14
        mov %rax, %r15
        mov %rax, %r10
        mov %rax, %r11
        mov %rax, %r8
        mov %rax, %r9
        mov %rax, %rcx
        mov %rax, %rdx
        pushq %fs:BLOB_ARGUMENT
        popfq
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        call *%gs:NSGX_SLOT_GATE
        STORE_GENERAL
        pushq $2
        popfq
        STORE_VECTORS
        call .Lreset_control
        DONE

/* ARGUMENT times a host call and (ARGUMENT2 != 0) a SEH call 64, which both return their
 * argument plus one. Counts what is wrong and pending ticks; ends early when TICKS + PENDING
 * reach RESULT, if that is not 0. */
        .globl nsgx_sim_blob_hammer
nsgx_sim_blob_hammer:
        START
        mov $0xb0b, %ebp
        xor %ebx, %ebx
1:      mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        mov %rbx, %rdx
        call *%gs:NSGX_SLOT_GATE
        inc %rbx
        cmp %rbx, %rax
        je 2f
        incq %fs:BLOB_BAD
2:      cmpq $0, %fs:BLOB_ARGUMENT2
        je 3f
        mov $64, %edi
        mov %rbx, %rsi
        call *%gs:NSGX_SLOT_GATE
        dec %rax
        cmp %rbx, %rax
        je 3f
        incq %fs:BLOB_BAD
3:      cmp $0xb0b, %ebp
        je 4f
        incq %fs:BLOB_BAD
4:      mov %gs:NSGX_SLOT_SELF, %rax
        rdgsbase %rdx
        cmp %rax, %rdx
        je 5f
        incq %fs:BLOB_BAD
5:      call .Ltake_pending
        mov %rbx, %fs:BLOB_ROUNDS
        mov %fs:BLOB_RESULT, %rax
        test %rax, %rax
        jz 6f
        mov %fs:BLOB_TICKS, %rdx
        add %fs:BLOB_PENDING, %rdx
        cmp %rax, %rdx
        jae 7f
6:      cmp %fs:BLOB_ARGUMENT, %rbx
        jb 1b
7:      DONE

/* Measurements: ARGUMENT times the same thing, without a check; RESULT: ticks of the time-stamp
 * counter that it took. */
.macro READ_TIME
        lfence
        rdtsc
        shl $32, %rdx
        or %rdx, %rax
.endm
.macro MEASURE_BEGIN name
        .globl \name
\name:
        START
        mov %fs:BLOB_ARGUMENT, %rbx
        READ_TIME
        mov %rax, %fs:BLOB_RESULT
1:
.endm
.macro MEASURE_END
        dec %rbx
        jnz 1b
        READ_TIME
        sub %fs:BLOB_RESULT, %rax
        mov %rax, %fs:BLOB_RESULT
        DONE
.endm
        MEASURE_BEGIN nsgx_sim_blob_measure_host_call
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        call *%gs:NSGX_SLOT_GATE
        MEASURE_END
        MEASURE_BEGIN nsgx_sim_blob_measure_seh_call
        mov $64, %edi
        call *%gs:NSGX_SLOT_GATE
        MEASURE_END
        MEASURE_BEGIN nsgx_sim_blob_measure_syscall
        mov $110, %eax
        syscall
        MEASURE_END
        MEASURE_BEGIN nsgx_sim_blob_measure_exception
        movq $2, %fs:BLOB_SKIP
        xor %ecx, %ecx
        mov (%rcx), %al
        MEASURE_END

/* Loads WANTED into all registers, spins ARGUMENT2 rounds, stores and compares; until TICKS +
 * PENDING reach ARGUMENT. */
        .globl nsgx_sim_blob_registers
nsgx_sim_blob_registers:
        START
.Lagain:
        mov %fs:BLOB_XCR0, %eax
        xor %edx, %edx
        xrstor64 %fs:BLOB_WANTED_XSAVE
        movq $0x12345678, -8(%rsp)      /* the red zone has to survive */
        movq $0x7654321, -128(%rsp)
        mov %fs:BLOB_ARGUMENT2, %rcx
        mov %fs:BLOB_WANTED+0x00, %rax
        mov %fs:BLOB_WANTED+0x08, %rbx
        mov %fs:BLOB_WANTED+0x18, %rdx
        mov %fs:BLOB_WANTED+0x20, %rsi
        mov %fs:BLOB_WANTED+0x28, %rdi
        mov %fs:BLOB_WANTED+0x30, %rbp
        mov %fs:BLOB_WANTED+0x38, %r8
        mov %fs:BLOB_WANTED+0x40, %r9
        mov %fs:BLOB_WANTED+0x48, %r10
        mov %fs:BLOB_WANTED+0x50, %r11
        mov %fs:BLOB_WANTED+0x58, %r12
        mov %fs:BLOB_WANTED+0x60, %r13
        mov %fs:BLOB_WANTED+0x68, %r14
        mov %fs:BLOB_WANTED+0x70, %r15
        lea -128(%rsp), %rsp
        pushq %fs:BLOB_WANTED+BLOB_GENERAL_FLAGS
        popfq
        lea 128(%rsp), %rsp
1:      loop 1b                         /* leaves flags alone */
        lea -128(%rsp), %rsp
        STORE_GENERAL
        lea 128(%rsp), %rsp
        lea -256(%rsp), %rsp
        cld
        pushq $2
        popfq
        STORE_VECTORS
        lea 256(%rsp), %rsp
        cmpq $0x12345678, -8(%rsp)
        jne 8f
        cmpq $0x7654321, -128(%rsp)
        jne 8f
        /* General registers and flags. The loop leaves zero in rcx, and so says WANTED. */
        rdgsbase %rsi
        add $BLOB_GENERAL, %rsi
        rdfsbase %rdi
        add $BLOB_WANTED, %rdi
        mov $BLOB_GENERAL_FLAGS+8, %ecx
        repe cmpsb
        jne 8f
        /* x87 control, x87 and SSE registers, extended components. */
        rdfsbase %rsi
        movzwl BLOB_XSAVE(%rsi), %eax
        cmp BLOB_WANTED_XSAVE(%rsi), %ax
        jne 8f
        mov BLOB_XSAVE+24(%rsi), %eax
        cmp BLOB_WANTED_XSAVE+24(%rsi), %eax
        jne 8f
        lea BLOB_WANTED_XSAVE+32(%rsi), %rdi
        add $BLOB_XSAVE+32, %rsi
        mov $416-32, %ecx
        repe cmpsb
        jne 8f
        rdfsbase %rsi
        lea BLOB_WANTED_XSAVE+576(%rsi), %rdi
        add $BLOB_XSAVE+576, %rsi
        mov $BLOB_XSAVE_SIZE-576, %ecx
        repe cmpsb
        je 9f
8:      incq %fs:BLOB_BAD
9:      incq %fs:BLOB_ROUNDS
        call .Ltake_pending
        mov %fs:BLOB_TICKS, %rax
        add %fs:BLOB_PENDING, %rax
        cmp %fs:BLOB_ARGUMENT, %rax
        jb .Lagain
        call .Lreset_control
        DONE

/* Sets the trap flag for ARGUMENT host calls and (ARGUMENT2 != 0) SEH calls. */
        .globl nsgx_sim_blob_step
nsgx_sim_blob_step:
        START
        xor %ebx, %ebx
1:      pushfq
        orq $0x100, (%rsp)
        popfq
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        mov %rbx, %rdx
        call *%gs:NSGX_SLOT_GATE
        mov %rax, %r12
        cmpq $0, %fs:BLOB_ARGUMENT2
        je 2f
        pushfq
        orq $0x100, (%rsp)
        popfq
        mov $64, %edi
        mov %rbx, %rsi
        call *%gs:NSGX_SLOT_GATE
        cmp %rax, %r12
        je 2f
        incq %fs:BLOB_BAD
2:      pushfq
        andq $~0x100, (%rsp)
        popfq
        inc %rbx
        cmp %rbx, %r12
        je 3f
        incq %fs:BLOB_BAD
3:      call .Ltake_pending
        cmp %fs:BLOB_ARGUMENT, %rbx
        jb 1b
        DONE

/* Causes exception number ARGUMENT, then is done if it could go on. The labels name the
 * instruction that faults. */
        .globl nsgx_sim_blob_fault
nsgx_sim_blob_fault:
        START
        mov $64, %edi                   /* whatever a SEH call opens must be closed again */
        call *%gs:NSGX_SLOT_GATE
        lea .Lfaulted(%rip), %rax
        mov %rax, %fs:BLOB_SCRATCH      /* for routines that come back by RESUME_RIP */
        mov %fs:BLOB_ARGUMENT, %rax
        lea .Lfault_table(%rip), %rdx
        movslq (%rdx,%rax,4), %rax
        add %rdx, %rax
        mov %fs:BLOB_ARGUMENT2, %rcx
        jmp *%rax
        .balign 4
.Lfault_table:
        /* In the order of BLOB_FAULT_*. */
        .irp n, read, write, jump, undefined, divide, privileged, breakpoint, alignment, x87, simd
        .long .Lfault_\n-.Lfault_table
        .endr
        .irp n, stack, syscall, int80, sysenter, vsyscall, gate_stack, gate_gs, gate_index
        .long .Lfault_\n-.Lfault_table
        .endr
        .long .Lfault_seh_stack-.Lfault_table
.macro RESUME_AT_END
        mov %fs:BLOB_SCRATCH, %rax
        mov %rax, %fs:BLOB_RESUME_RIP
        mov %rsp, %fs:BLOB_RESUME_RSP
.endm
.Lfault_read:
        movq $2, %fs:BLOB_SKIP
        mov (%rcx), %al
        jmp .Lfaulted
.Lfault_write:
        movq $2, %fs:BLOB_SKIP
        mov %al, (%rcx)
        jmp .Lfaulted
.Lfault_jump:
        RESUME_AT_END
        jmp *%rcx
.Lfault_undefined:
        movq $2, %fs:BLOB_SKIP
        ud2
        jmp .Lfaulted
.Lfault_divide:
        movq $2, %fs:BLOB_SKIP
        xor %ecx, %ecx
        mov $5, %eax
        xor %edx, %edx
        div %ecx
        jmp .Lfaulted
.Lfault_privileged:
        movq $1, %fs:BLOB_SKIP
        hlt
        jmp .Lfaulted
.Lfault_breakpoint:
        int3
        jmp .Lfaulted
.Lfault_alignment:
        movq $4, %fs:BLOB_SKIP
        pushfq
        orq $0x40000, (%rsp)
        popfq
        mov 1(%rsp), %eax
        pushq $2
        popfq
        jmp .Lfaulted
.Lfault_x87:
        movq $1, %fs:BLOB_SKIP
        fninit
        movw $0x37b, %fs:BLOB_SCRATCH   /* division by zero unmasked */
        fldcw %fs:BLOB_SCRATCH
        fld1
        fldz
        fdivrp
        fwait
        fninit
        jmp .Lfaulted
.Lfault_simd:
        movq $4, %fs:BLOB_SKIP
        movl $0x1d80, %fs:BLOB_SCRATCH  /* division by zero unmasked */
        ldmxcsr %fs:BLOB_SCRATCH
        pxor %xmm1, %xmm1
        mov $0x3f800000, %eax
        movd %eax, %xmm0
        divss %xmm1, %xmm0
        call .Lreset_control
        jmp .Lfaulted
.Lfault_stack:
        RESUME_AT_END
1:      push %rax
        jmp 1b
.Lfault_syscall:
        mov $110, %eax                  /* getppid */
        mov $0x11, %edi
        mov $0x22, %esi
        mov $0x33, %edx
        mov $0x44, %r10d
        syscall
        mov %rax, %fs:BLOB_RESULT
        jmp .Lfaulted
.Lfault_int80:
        mov $1, %eax                    /* exit(42) in the numbers of 32-bit programs */
        mov $42, %ebx
        int $0x80
        jmp .Lfaulted
.Lfault_sysenter:
        RESUME_AT_END
        mov %ecx, %ebp                  /* stack below 4 GiB */
        mov $1, %eax
        mov $42, %ebx
        sysenter
        jmp .Lfaulted
.Lfault_vsyscall:
        RESUME_AT_END
        mov $0xffffffffff600400, %rax   /* time() */
        xor %edi, %edi
        call *%rax
        mov %rax, %fs:BLOB_RESULT
        jmp .Lfaulted
.Lfault_gate_stack:
        lea .Lfaulted(%rip), %rax
        push %rax
        mov %rsp, %fs:BLOB_RESUME_RSP
        mov %rcx, %rsp
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        jmp *%gs:NSGX_SLOT_GATE
.Lfault_gate_gs:
        mov %gs:NSGX_SLOT_GATE, %rax
        rdfsbase %rdx
        mov %gs:SIM_SLOT_VCPU, %r8d
        mov %r8d, %fs:SIM_SLOT_VCPU
        wrgsbase %rdx
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        call *%rax
        jmp .Lfaulted
.Lfault_gate_index:
        mov %ecx, %gs:SIM_SLOT_VCPU
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        call *%gs:NSGX_SLOT_GATE
        jmp .Lfaulted
.Lfault_seh_stack:
        lea .Lfaulted(%rip), %rax
        push %rax
        mov %rsp, %fs:BLOB_RESUME_RSP
        mov %rcx, %rsp
        mov $64, %edi
        jmp *%gs:NSGX_SLOT_GATE
.Lfaulted:
        cld
        DONE

/* Live everywhere: callers expect nothing of caller-saved registers. */
.Ltake_pending:
        cmpb $0, %gs:NSGX_SLOT_PENDING
        je 1f
        movb $0, %gs:NSGX_SLOT_PENDING
        incq %fs:BLOB_PENDING
1:      ret

.Lreset_control:
        movl $0x1f80, %fs:BLOB_SCRATCH
        ldmxcsr %fs:BLOB_SCRATCH
        fninit
        ret

.Ldirty_vectors:
        mov %fs:BLOB_XCR0, %eax
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        pcmpeqd %xmm\n, %xmm\n
        .endr
        test $4, %eax
        jz 1f
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        vcmptrueps %ymm\n, %ymm\n, %ymm\n
        .endr
1:      test $0x20, %eax
        jz 2f
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        vpternlogd $0xff, %zmm\n, %zmm\n, %zmm\n
        .endr
        .irp n, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        vpternlogd $0xff, %zmm\n, %zmm\n, %zmm\n
        .endr
        .irp n, 0,1,2,3,4,5,6,7
        kxnorw %k\n, %k\n, %k\n
        .endr
2:      fninit
        fldz
        fninit
        ret

/* FROM:  the machine, for an exception or a tick.
 * STATE: enclave; the slot's exception stack, in_exception set. FS is the interrupted code's,
 *        which START may not have set yet.
 * LIVE:  rdi = frame, rsi = cause. Never returns; resumes in ring 3. */
        .globl nsgx_sim_blob_exception
nsgx_sim_blob_exception:
        mov %rdi, %rbx
        mov %rsi, %r12
        START
        cmp $NSGX_CAUSE_TICK, %r12
        je .Ltick
        cmp $NSGX_CAUSE_DEBUG, %r12
        je .Lstep
        incq %fs:BLOB_EXCEPTIONS
        mov %rbx, %rsi
        rdfsbase %rdi
        add $BLOB_FRAME, %rdi
        mov $0xb8, %ecx
        rep movsb
        mov %fs:BLOB_SKIP, %rax
        add %rax, NSGX_FRAME_RIP(%rbx)
        mov %fs:BLOB_RESUME_RIP, %rax
        test %rax, %rax
        jz 1f
        mov %rax, NSGX_FRAME_RIP(%rbx)
1:      mov %fs:BLOB_RESUME_RSP, %rax
        test %rax, %rax
        jz .Lact
        mov %rax, NSGX_FRAME_RSP(%rbx)
        jmp .Lact
.Lstep:
        incq %fs:BLOB_STEPS
        jmp .Lact
.Ltick:
        incq %fs:BLOB_TICKS
.Lact:
        testl $BLOB_ACTION_DIRTY, %fs:BLOB_ACTION
        jz 1f
        call .Ldirty_vectors
1:      testl $BLOB_ACTION_FAULT, %fs:BLOB_ACTION
        jz 2f
        ud2
2:      testl $BLOB_ACTION_CALL, %fs:BLOB_ACTION
        jz 3f
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $BLOB_HOST_CALL, %esi
        call *%gs:NSGX_SLOT_GATE
3:      mov %rbx, %rdi
        mov %fs:BLOB_XCR0, %eax
        xor %edx, %edx
        xrstor64 NSGX_FRAME_XSAVE(%rdi)
        mov 0xa8(%rdi), %rax
        wrfsbase %rax
        mov NSGX_FRAME_RSP(%rdi), %rsi
        lea -128-40(%rsi), %rsi         /* below the red zone */
        mov NSGX_FRAME_RIP(%rdi), %rax
        mov %rax, (%rsi)
        mov %cs, %eax
        mov %rax, 8(%rsi)
        mov NSGX_FRAME_RFLAGS(%rdi), %rax
        mov %rax, 16(%rsi)
        mov NSGX_FRAME_RSP(%rdi), %rax
        mov %rax, 24(%rsi)
        mov %ss, %eax
        mov %rax, 32(%rsi)
        mov NSGX_FRAME_R8(%rdi), %r8
        mov NSGX_FRAME_R9(%rdi), %r9
        mov NSGX_FRAME_R10(%rdi), %r10
        mov NSGX_FRAME_R11(%rdi), %r11
        mov NSGX_FRAME_R12(%rdi), %r12
        mov NSGX_FRAME_R13(%rdi), %r13
        mov NSGX_FRAME_R14(%rdi), %r14
        mov NSGX_FRAME_R15(%rdi), %r15
        mov NSGX_FRAME_RBP(%rdi), %rbp
        mov NSGX_FRAME_RBX(%rdi), %rbx
        mov NSGX_FRAME_RDX(%rdi), %rdx
        mov NSGX_FRAME_RAX(%rdi), %rax
        mov NSGX_FRAME_RCX(%rdi), %rcx
        mov %rsi, %rsp
        mov NSGX_FRAME_RSI(%rdi), %rsi
        mov NSGX_FRAME_RDI(%rdi), %rdi
        movb $0, %gs:NSGX_SLOT_IN_EXCEPTION
        iretq

/* FROM:  a raw system call. LIVE: everything, as after the instruction `syscall`. */
        .globl nsgx_sim_blob_raw
nsgx_sim_blob_raw:
        mov %rax, %fs:BLOB_RAW+0x00
        mov %rcx, %fs:BLOB_RAW+0x08
        mov %r11, %fs:BLOB_RAW+0x10
        mov %rdi, %fs:BLOB_RAW+0x18
        mov %rsi, %fs:BLOB_RAW+0x20
        mov %rdx, %fs:BLOB_RAW+0x28
        mov %r10, %fs:BLOB_RAW+0x30
        mov %rsp, %fs:BLOB_RAW+0x38
        mov $0x5eaf00d, %eax
        jmp *%rcx
nsgx_sim_blob_end:

/* ---- the host's side of the tests ---- */
        .text
/* void nsgx_sim_probe(enter, ThreadBlock*, uint64_t answer, Probe* probe)
 * FROM:  C++, host state.
 * STATE: enters with the control words and flags in `probe`, a full x87 stack and known
 *        callee-saved registers; stores in `probe` what it finds when the enclave has left, and
 *        goes back to ordinary state. */
        .globl nsgx_sim_probe
        .type nsgx_sim_probe, @function
nsgx_sim_probe:
        push %rbp
        push %rbx
        push %r12
        push %r13
        push %r14
        push %r15
        push %rcx
        mov %rdi, %rax
        mov %rsi, %rdi
        mov %rdx, %rsi
        fninit
        .rept 8
        fld1
        .endr
        ldmxcsr PROBE_MXCSR(%rcx)
        fldcw PROBE_FCW(%rcx)
        mov $0x1001, %ebx
        mov $0x1002, %ebp
        mov $0x1003, %r12d
        mov $0x1004, %r13d
        mov $0x1005, %r14d
        mov $0x1006, %r15d
        pushq PROBE_FLAGS(%rcx)
        popfq
        call *%rax
        push %rax
        mov 8(%rsp), %rax
        mov %rbx, PROBE_GENERAL+0x08(%rax)
        mov %rcx, PROBE_GENERAL+0x10(%rax)
        mov %rdx, PROBE_GENERAL+0x18(%rax)
        mov %rsi, PROBE_GENERAL+0x20(%rax)
        mov %rdi, PROBE_GENERAL+0x28(%rax)
        mov %rbp, PROBE_GENERAL+0x30(%rax)
        mov %r8, PROBE_GENERAL+0x38(%rax)
        mov %r9, PROBE_GENERAL+0x40(%rax)
        mov %r10, PROBE_GENERAL+0x48(%rax)
        mov %r11, PROBE_GENERAL+0x50(%rax)
        mov %r12, PROBE_GENERAL+0x58(%rax)
        mov %r13, PROBE_GENERAL+0x60(%rax)
        mov %r14, PROBE_GENERAL+0x68(%rax)
        mov %r15, PROBE_GENERAL+0x70(%rax)
        popq PROBE_GENERAL+0x00(%rax)
        pushfq
        popq PROBE_GENERAL+0x78(%rax)
        pushq $2
        popfq
        mov %rax, %rcx
        mov PROBE_XCR0(%rcx), %eax
        xor %edx, %edx
        xsave64 PROBE_XSAVE(%rcx)
        fninit
        movl $0x1f80, PROBE_MXCSR(%rcx)
        ldmxcsr PROBE_MXCSR(%rcx)
        pop %rcx
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbx
        pop %rbp
        ret
        .size nsgx_sim_probe, .-nsgx_sim_probe

/* void nsgx_sim_step_enter(enter, ThreadBlock*, uint64_t answer): enters with the trap flag set. */
        .globl nsgx_sim_step_enter
        .type nsgx_sim_step_enter, @function
nsgx_sim_step_enter:
        sub $8, %rsp
        mov %rdi, %rax
        mov %rsi, %rdi
        mov %rdx, %rsi
        pushfq
        orq $0x100, (%rsp)
        popfq
        call *%rax
        add $8, %rsp
        ret
        .size nsgx_sim_step_enter, .-nsgx_sim_step_enter

        .section .note.GNU-stack, "", @progbits
