/* SPDX-License-Identifier: Apache-2.0 */
/* The switch between host, enclave and SEH. Three states occur here:
 *
 *   host     host FS, host stack, PKRU: enclave and SEH memory closed
 *   enclave  enclave FS, enclave stack, GS = slot, PKRU: enclave open, SEH memory readable
 *   seh      host FS, the slot's SEH stack, PKRU: everything open
 *
 * and *windows* between them, in which registers belong to two of them. Nothing is pushed in a
 * window and no memory of the state that is being left is needed any more, so a signal may
 * arrive at each instruction: the handler finds everything it needs by the alternate stack and
 * puts back what it found. It never delivers a tick to the enclave while RIP is between
 * nsgx_sim_switch_begin and _end, it sets slot.pending. Parts that are wholly in the enclave's
 * state (the labels of SwitchCode in switch.h) can take a synchronous exception like the
 * enclave's own code; elsewhere one means that the enclave handed over bad registers, and ends
 * it. */
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/sim/layout.h"

/* Alignment check, nested task, direction: flags that change what ordinary code does. */
#define HOSTILE_FLAGS 0x44400

        .section .text.nsgx_sim_switch, "ax", @progbits
        .balign 4096
        .hidden nsgx_sim_switch_begin, nsgx_sim_switch_end
        .globl nsgx_sim_switch_begin, nsgx_sim_switch_end
nsgx_sim_switch_begin:

.macro WRITE_PKRU source:vararg
        mov \source, %eax
        xor %ecx, %ecx
        xor %edx, %edx
        wrpkru
.endm

/* Clears HOSTILE_FLAGS. The test is cheap, popf is not. Live: everything but flags. Needs a
 * stack. */
.macro CLEAN_FLAGS
        pushfq
        testl $HOSTILE_FLAGS, (%rsp)
        jz .Lclean_\@
        andl $~HOSTILE_FLAGS, (%rsp)
        popfq
        sub $8, %rsp
.Lclean_\@:
        lea 8(%rsp), %rsp
.endm

/* Zeroes all vector state that this processor has. XINUSE would say what is in use, but string
 * functions keep all of it in use. */
.macro SCRUB_VECTORS level
.ifc \level, sse
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        pxor %xmm\n, %xmm\n
        .endr
.else
        vzeroall
.endif
.ifc \level, avx512
        .irp n, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        vpxord %xmm\n, %xmm\n, %xmm\n
        .endr
        .irp n, 0,1,2,3,4,5,6,7
        kxorq %k\n, %k\n, %k\n
        .endr
.endif
.endm

/* Zeroes the x87 registers and leaves them empty; far cheaper than fninit, which does not even
 * zero them. No exception is pending. */
.macro SCRUB_X87
        emms
        .rept 8
        fldz
        .endr
        emms
.endm

/* rax = this slot's VcpuPage, r11 = ThreadBlock of the thread that entered. GS and the slot are
 * the enclave's to forge: the index is checked against the table, and the page must be the one
 * of the slot at the GS base. Clobbers r10. */
.macro FIND_VCPU
        mov %gs:SIM_SLOT_VCPU, %eax
        cmp nsgx_sim_switch_state+SIM_STATE_VCPU_LIMIT(%rip), %eax
        jae .Lforged_\@
        shl $SIM_VCPU_STRIDE_SHIFT, %rax
        add nsgx_sim_switch_state+SIM_STATE_VCPUS(%rip), %rax
        rdgsbase %r10
        cmp SIM_VCPU_SLOT(%rax), %r10
        je .Lfound_\@
.Lforged_\@:
        ud2                             /* a synchronous exception in a window: the enclave ends */
.Lfound_\@:
        mov SIM_VCPU_BLOCK(%rax), %r11
.endm

/* What the C calling convention wants kept: registers on the stack, below them MXCSR and the x87 control word.
 * Those two are loaded, and dropped, before the registers are restored. */
.macro SAVE_CALLEE_SAVED
        push %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        push %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        push %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        push %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        push %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        push %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        sub $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw 4(%rsp)
.endm
.macro RESTORE_CALLEE_SAVED
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbx
        pop %rbp
.endm

/* void nsgx_sim_enter_*(ThreadBlock* block, uint64_t answer)
 * FROM:  C++, host state.
 * STATE: leaves as enclave; the enclave continues behind its call of the gate, or at its entry
 *        point the first time (Vcpu::PrepareFirstEntry).
 * LIVE:  rdi = block, rsi = answer. Returns, with block->exit filled, when the enclave leaves
 *        through its gate or is made to. */
.macro ENTER name, keys
        .hidden \name, \name\()_arrived, \name\()_end
        .globl \name, \name\()_arrived, \name\()_end
        .type \name, @function
        .balign 64
\name:
        .cfi_startproc
        SAVE_CALLEE_SAVED
        mov %rsp, SIM_BLOCK_HOST_RSP(%rdi)
        mov SIM_BLOCK_SLOT(%rdi), %r9
        mov %rsi, %r8
        movb $1, SIM_BLOCK_SELECTOR(%rdi)
.if \keys
        WRITE_PKRU SIM_BLOCK_PKRU_INSIDE(%rdi)
.endif
        /* Window: enclave keys, host stack and FS. r8 = answer, r9 = slot. */
        rdgsbase %rax
        cmp %rax, %r9
        /* Libcs leave GS alone, so it nearly always is what it was; writing it is slow. */
        je 1f
        wrgsbase %r9
1:      mov SIM_SLOT_FS(%r9), %rax
        mov SIM_SLOT_RSP(%r9), %rsp
        .cfi_undefined %rip
        wrfsbase %rax
\name\()_arrived:
        /* Enclave state, on the frame that GATE left. r8 = answer, r9 = slot. */
        CLEAN_FLAGS
        emms
        ldmxcsr (%rsp)
        fldcw 4(%rsp)
        add $8, %rsp
        mov %r8, %rax
        mov %r9, %rdi                   /* the argument of a first entry; no secret otherwise */
        xor %ecx, %ecx
        xor %edx, %edx
        xor %esi, %esi
        xor %r8d, %r8d
        xor %r9d, %r9d
        xor %r10d, %r10d
        xor %r11d, %r11d
        RESTORE_CALLEE_SAVED
        ret
        .cfi_endproc
\name\()_end:
        .size \name, .-\name
.endm

/* int64_t nsgx_sim_gate_*(call, a0, a1, a2, a3, a4)
 * FROM:  the enclave, through slot.gate, in the C calling convention; nothing about its
 *        registers is believed.
 * STATE: enclave; exits leave it as host, behind the call of ENTER. SEH calls go to \name_seh.
 * LIVE:  rdi = call, rsi, rdx, rcx, r8, r9 = arguments. */
.macro GATE name, keys, level
        .hidden \name, \name\()_leave, \name\()_end
        .hidden \name\()_seh, \name\()_seh_leave, \name\()_seh_arrived
        .globl \name, \name\()_leave, \name\()_end
        .globl \name\()_seh, \name\()_seh_leave, \name\()_seh_arrived
        .type \name, @function
        .balign 64
\name:
        .cfi_startproc
        cmp $NSGX_GATE_DONE, %rdi
        ja \name\()_seh
        SAVE_CALLEE_SAVED
        /* An x87 exception that is still pending belongs to the enclave. */
        fwait
\name\()_leave:
        FIND_VCPU
        test %edi, %edi
        jnz 2f
        /* A host call: its number must be on the enclave's list. rax = VcpuPage. */
        cmp $SIM_HOST_CALL_LIMIT, %rsi
        jae 1f
        mov %esi, %r10d
        shr $6, %r10d
        mov SIM_VCPU_HOST_CALLS(%rax,%r10,8), %r10
        bt %rsi, %r10
        jc 2f
1:      mov $SIM_EXIT_REFUSED, %edi
2:      mov %rdi, SIM_BLOCK_EXIT+0x00(%r11)
        mov %rsi, SIM_BLOCK_EXIT+0x08(%r11)
        mov %rdx, SIM_BLOCK_EXIT+0x10(%r11)
        mov %rcx, SIM_BLOCK_EXIT+0x18(%r11)
        mov %r8, SIM_BLOCK_EXIT+0x20(%r11)
        mov %r9, SIM_BLOCK_EXIT+0x28(%r11)
        rdfsbase %rax
        mov %rax, %gs:SIM_SLOT_FS
        mov %rsp, %gs:SIM_SLOT_RSP
        SCRUB_X87
        SCRUB_VECTORS \level
.if \keys
        WRITE_PKRU nsgx_sim_switch_state+SIM_STATE_PKRU_HOST(%rip)
.else
        xor %ecx, %ecx
        xor %edx, %edx
.endif
        /* Window: host keys, enclave stack and FS. r11 = block. */
        mov SIM_BLOCK_HOST_RSP(%r11), %rsp
        .cfi_undefined %rip
        mov SIM_BLOCK_HOST_FS(%r11), %rax
        wrfsbase %rax
        movb $0, SIM_BLOCK_SELECTOR(%r11)
        /* Host state, on the frame that ENTER left. */
        CLEAN_FLAGS
        ldmxcsr (%rsp)
        fldcw 4(%rsp)
        add $8, %rsp
        xor %eax, %eax
        xor %esi, %esi
        xor %edi, %edi
        xor %r8d, %r8d
        xor %r9d, %r9d
        xor %r10d, %r10d
        xor %r11d, %r11d
        RESTORE_CALLEE_SAVED
        ret
        .cfi_endproc

/* FROM:  GATE, for a call that the SEH answers itself (or refuses, when there is no such call).
 * STATE: enclave, then seh, then enclave again; the host sees nothing of it.
 * LIVE:  as GATE. */
\name\()_seh:
        .cfi_startproc
        .cfi_signal_frame               /* debuggers expect stacks to lie in order otherwise */
        push %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        push %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        sub $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw 4(%rsp)
\name\()_seh_leave:
        FIND_VCPU
        mov %rax, %rbx
        mov %rdx, %rbp
        mov %rcx, %r10
.if \keys
        WRITE_PKRU $0
.endif
        /* Window: all keys, enclave stack and FS. rbx = VcpuPage, r11 = block, rdi, rsi, rbp,
         * r10, r8, r9 = the call. */
        mov %rdi, SIM_VCPU_CALL+0x00(%rbx)
        mov %rsi, SIM_VCPU_CALL+0x08(%rbx)
        mov %rbp, SIM_VCPU_CALL+0x10(%rbx)
        mov %r10, SIM_VCPU_CALL+0x18(%rbx)
        mov %r8, SIM_VCPU_CALL+0x20(%rbx)
        mov %r9, SIM_VCPU_CALL+0x28(%rbx)
        rdfsbase %rax
        mov %rax, SIM_VCPU_FOUND_FS(%rbx)
        mov %rsp, SIM_VCPU_FOUND_RSP(%rbx)
        mov SIM_BLOCK_HOST_FS(%r11), %rax
        wrfsbase %rax
        movb $0, SIM_BLOCK_SELECTOR(%r11)
        mov %rbx, %rsp                  /* the SEH stack ends where the page begins */
        /* The enclave's frame is found through FOUND_RSP: CFA = *(rbx + FOUND_RSP) + 32. */
        .cfi_escape 0x0f, 6, 0x73, SIM_VCPU_FOUND_RSP, 0x06, 0x23, 32, 0x96
        CLEAN_FLAGS
        ldmxcsr .Lmxcsr(%rip)
        fldcw .Lfcw(%rip)
        mov %rbx, %rdi
        call nsgx_sim_gate_call
        mov %rax, %r8
        mov SIM_VCPU_BLOCK(%rbx), %r11
        SCRUB_VECTORS \level
        movb $1, SIM_BLOCK_SELECTOR(%r11)
        mov SIM_VCPU_FOUND_FS(%rbx), %rax
        wrfsbase %rax
        mov SIM_VCPU_FOUND_RSP(%rbx), %rsp
.if \keys
        WRITE_PKRU nsgx_sim_switch_state+SIM_STATE_PKRU_INSIDE(%rip)
.else
        xor %ecx, %ecx
        xor %edx, %edx
.endif
\name\()_seh_arrived:
        /* Enclave state. r8 = result. */
        ldmxcsr (%rsp)
        fldcw 4(%rsp)
        .cfi_def_cfa %rsp, 32
        add $8, %rsp
        .cfi_adjust_cfa_offset -8
        mov %r8, %rax
        xor %esi, %esi
        xor %edi, %edi
        xor %r8d, %r8d
        xor %r9d, %r9d
        xor %r10d, %r10d
        xor %r11d, %r11d
        pop %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        pop %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        ret
        .cfi_endproc
\name\()_end:
        .size \name, .-\name
.endm

        ENTER nsgx_sim_enter_plain, 0
        ENTER nsgx_sim_enter_keys, 1
        GATE nsgx_sim_gate_plain_sse, 0, sse
        GATE nsgx_sim_gate_plain_avx, 0, avx
        GATE nsgx_sim_gate_plain_avx512, 0, avx512
        GATE nsgx_sim_gate_keys_sse, 1, sse
        GATE nsgx_sim_gate_keys_avx, 1, avx
        GATE nsgx_sim_gate_keys_avx512, 1, avx512

/* FROM:  sigreturn, on a frame that the signal handler made when the enclave has to leave
 *        without its own doing.
 * STATE: host: the handler set RSP = block->host_rsp, the host's FS and keys, initial vector
 *        state, selector off.
 * LIVE:  nothing; block->exit says why. */
        .hidden nsgx_sim_forced_exit
        .globl nsgx_sim_forced_exit
        .type nsgx_sim_forced_exit, @function
        .balign 64
nsgx_sim_forced_exit:
        ldmxcsr (%rsp)
        fldcw 4(%rsp)
        add $8, %rsp
        RESTORE_CALLEE_SAVED
        ret
        .size nsgx_sim_forced_exit, .-nsgx_sim_forced_exit

        .balign 8
.Lmxcsr: .long 0x1f80
.Lfcw:  .word 0x037f
nsgx_sim_switch_end:

/* Unwinding through the kernel's signal frame, for debuggers: rbp + 8 is the ucontext, whose
 * registers begin at 40. */
#define FRAME_OFFSET(index) (8 + 40 + 8 * (index))
#define FRAME_REGISTER(dwarf, index) \
        .cfi_escape 0x10, dwarf, 4, 0x76, (FRAME_OFFSET(index) & 0x7f) | 0x80, \
                    FRAME_OFFSET(index) >> 7, 0x96

/* FROM:  the kernel, for each signal that the machine takes, on any thread of the process.
 * STATE: that of whoever was interrupted, but for the kernel's initial PKRU (only ordinary
 *        memory is open) and the stack: the alternate one of a thread that enters enclaves, the
 *        thread's own otherwise. All registers are in the frame, so all are free here.
 * LIVE:  edi = signal, rsi = siginfo, rdx = ucontext; rsp = frame. */
        .hidden nsgx_sim_signal_entry, nsgx_sim_sigreturn, nsgx_sim_sigreturn_end
        .globl nsgx_sim_signal_entry, nsgx_sim_sigreturn, nsgx_sim_sigreturn_end
        .type nsgx_sim_signal_entry, @function
        .balign 64
        .cfi_startproc
        .cfi_signal_frame
        /* CFA = *(rbp + 168) = rsp of the interrupted */
        .cfi_escape 0x0f, 5, 0x76, 0xa8, 0x01, 0x06, 0x96
        FRAME_REGISTER(8, 0)            /* r8..r15 */
        FRAME_REGISTER(9, 1)
        FRAME_REGISTER(10, 2)
        FRAME_REGISTER(11, 3)
        FRAME_REGISTER(12, 4)
        FRAME_REGISTER(13, 5)
        FRAME_REGISTER(14, 6)
        FRAME_REGISTER(15, 7)
        FRAME_REGISTER(5, 8)            /* rdi */
        FRAME_REGISTER(4, 9)            /* rsi */
        FRAME_REGISTER(6, 10)           /* rbp */
        FRAME_REGISTER(3, 11)           /* rbx */
        FRAME_REGISTER(1, 12)           /* rdx */
        FRAME_REGISTER(0, 13)           /* rax */
        FRAME_REGISTER(2, 14)           /* rcx */
        FRAME_REGISTER(7, 15)           /* rsp */
        FRAME_REGISTER(16, 16)          /* rip */
        /* Unwinders look up the address before the return address. */
        nop
nsgx_sim_signal_entry:
        mov %rsp, %rbp
        pushq $2                        /* the kernel clears DF and TF, not AC */
        popfq
        /* Is this one of our alternate stacks? The kernel says in uc_stack which one the thread
         * has. */
        xor %r14d, %r14d
        cmpq $SIM_BLOCK_STACK_SIZE, 32(%rdx)
        jne 1f
        mov 16(%rdx), %rax
        sub $SIM_BLOCK_STACK_OFFSET, %rax
        test $(SIM_BLOCK_SIZE - 1), %eax
        jnz 1f
        movabs $SIM_BLOCK_MAGIC_VALUE, %rcx
        cmp %rcx, SIM_BLOCK_MAGIC(%rax)
        jne 1f
        mov %rax, %r14
        mov %rdx, %r12
        cmpb $0, SIM_BLOCK_HAS_KEYS(%r14)
        je 2f
        WRITE_PKRU $0
2:      mov %r12, %rdx
        rdfsbase %rax
        mov %rax, SIM_BLOCK_FOUND_FS(%r14)
        mov SIM_BLOCK_HOST_FS(%r14), %rax
        wrfsbase %rax                   /* from here on C++ can run */
1:      mov %r14, %rcx                  /* block, or null on a thread that never entered */
        and $-16, %rsp
        call nsgx_sim_on_signal
        test %r14, %r14
        jz 3f
        mov SIM_BLOCK_FOUND_FS(%r14), %rax
        wrfsbase %rax                   /* as found, or as a forced exit wants it */
3:      lea 8(%rbp), %rsp
/* FROM:  above; also the restorer that the kernel wants a handler to have.
 * STATE: rsp = ucontext. The only system call that may be made with the selector on. */
nsgx_sim_sigreturn:
        mov $15, %eax
        syscall
        ud2
        /* Linux compares the address behind the instruction, so that has to be inside. */
nsgx_sim_sigreturn_end:
        .cfi_endproc
        .size nsgx_sim_signal_entry, .-nsgx_sim_signal_entry

        .section .note.GNU-stack, "", @progbits
