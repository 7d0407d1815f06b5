/* SPDX-License-Identifier: Apache-2.0 */
/* The program in the enclave of the device tests: does what the test writes into the shared
 * window. Position-independent; is copied into the image, with its entry point at the beginning.
 *
 * Each round is host call 1 with the last result, the first time the slot's address; the answer
 * says what to do with the words in the window:
 *   0  gate(word 0, word 1, ... word 5)
 *   1  load from the address in word 0
 *   2  store word 1 to the address in word 0
 *   3  raw system call number word 0, arguments words 1 and 2
 * A load or store that faults gives DEVICE_TEST_FAULT, a raw system call the sum of number and
 * arguments. */
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"

#define DEVICE_TEST_FAULT 0xfa017

        .section .rodata.nsgx_sim_device_test, "a", @progbits
        .balign 16
        .globl nsgx_sim_device_test_begin, nsgx_sim_device_test_end
        .globl nsgx_sim_device_test_exception, nsgx_sim_device_test_raw
/* FROM: first entry of a slot. LIVE: rdi = slot. */
nsgx_sim_device_test_begin:
        movb $1, NSGX_SLOT_IRQ_OFF(%rdi) /* the handler below is for faults only */
        mov NSGX_SLOT_WINDOW(%rdi), %r12
        mov %rdi, %rax
.Lround:
        mov $NSGX_GATE_HOST_CALL, %edi
        mov $1, %esi
        mov %rax, %rdx
        call *%gs:NSGX_SLOT_GATE
        cmp $1, %rax
        jb .Lgate
        je .Lload
        cmp $3, %rax
        jb .Lstore
        mov 0(%r12), %rax
        mov 8(%r12), %rdi
        mov 16(%r12), %rsi
        syscall
        jmp .Lround
.Lgate:
        mov 0(%r12), %rdi
        mov 8(%r12), %rsi
        mov 16(%r12), %rdx
        mov 24(%r12), %rcx
        mov 32(%r12), %r8
        mov 40(%r12), %r9
        call *%gs:NSGX_SLOT_GATE
        jmp .Lround
.Lload:
        mov 0(%r12), %rax
        mov (%rax), %rax                /* three bytes */
        jmp .Lround
.Lstore:
        mov 0(%r12), %rax
        mov 8(%r12), %rcx
        mov %rcx, (%rax)                /* three bytes */
        mov %rcx, %rax
        jmp .Lround

/* FROM: the machine, for a load or store above. LIVE: rdi = frame. */
nsgx_sim_device_test_exception:
        mov NSGX_FRAME_RSP(%rdi), %rsp
        mov NSGX_FRAME_R12(%rdi), %r12
        mov $DEVICE_TEST_FAULT, %eax
        movb $0, %gs:NSGX_SLOT_IN_EXCEPTION
        jmp .Lround

/* FROM: the machine, for a raw system call. LIVE: as after the instruction. */
nsgx_sim_device_test_raw:
        add %rdi, %rax
        add %rsi, %rax
        jmp *%rcx
nsgx_sim_device_test_end:

        .section .note.GNU-stack, "", @progbits
