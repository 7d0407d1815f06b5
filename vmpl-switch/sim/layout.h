/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets shared by switch_code.S and C++. Three places hold what a switch needs:
 *
 *   ThreadBlock  ordinary memory, one for each host thread that enters enclaves; its upper part
 *                is the alternate signal stack
 *   VcpuPage     the SEH's memory, one for each thread slot; enclaves can read it, nobody but the
 *                SEH can write it; the stack of the slot's SEH calls lies right below it
 *   nsgx_slot    enclave memory (vmpl-switch/abi/slot.h); the machine's part of it keeps the
 *                enclave's own state while it is outside
 */
#pragma once

#include "vmpl-switch/abi/slot.h"

/* ---- struct ThreadBlock (thread.h) ---- */
#define SIM_BLOCK_SIZE 0x10000
#define SIM_BLOCK_STACK_OFFSET 0x1000
#define SIM_BLOCK_STACK_SIZE (SIM_BLOCK_SIZE - SIM_BLOCK_STACK_OFFSET)
#define SIM_BLOCK_MAGIC_VALUE 0x4b434f4c424d4953 /* "SIMBLOCK" */

#define SIM_BLOCK_MAGIC 0x00
#define SIM_BLOCK_HOST_RSP 0x08
#define SIM_BLOCK_HOST_FS 0x10
#define SIM_BLOCK_FOUND_FS 0x18
#define SIM_BLOCK_SLOT 0x20
#define SIM_BLOCK_PKRU_INSIDE 0x28 /* uint32_t */
#define SIM_BLOCK_SELECTOR 0x2c    /* uint8_t */
#define SIM_BLOCK_HAS_KEYS 0x2d    /* uint8_t */
#define SIM_BLOCK_EXIT 0x30        /* six words */

/* ---- struct VcpuPage (vcpu.h) ---- */
#define SIM_VCPU_STRIDE_SHIFT 16
#define SIM_VCPU_STRIDE (1 << SIM_VCPU_STRIDE_SHIFT) /* guard page, stack, VcpuPage */
#define SIM_VCPU_PAGE_OFFSET (SIM_VCPU_STRIDE - 0x1000)

#define SIM_VCPU_SLOT 0x00
#define SIM_VCPU_BLOCK 0x08
#define SIM_VCPU_HOST_CALLS 0x10 /* two words */
#define SIM_VCPU_FOUND_RSP 0x20
#define SIM_VCPU_FOUND_FS 0x28
#define SIM_VCPU_CALL 0x30 /* six words */

/* ---- struct SwitchState (switch.h) ---- */
#define SIM_STATE_VCPUS 0x00      /* address of the first VcpuPage */
#define SIM_STATE_VCPU_LIMIT 0x08 /* uint32_t */
#define SIM_STATE_PKRU_HOST 0x0c  /* uint32_t */
#define SIM_STATE_PKRU_INSIDE 0x10

/* ---- the machine's part of struct nsgx_slot ---- */
#define SIM_SLOT_RSP (NSGX_SLOT_MACHINE + 0x00)
#define SIM_SLOT_FS (NSGX_SLOT_MACHINE + 0x08)
#define SIM_SLOT_VCPU (NSGX_SLOT_MACHINE + 0x10) /* uint32_t: index of the VcpuPage */

#define SIM_HOST_CALL_LIMIT 128 /* NSGX_HOST_CALL_LIMIT, whose header assembly cannot read */

/* Beyond the numbers of gate.h, in the first word of ThreadBlock::exit. */
#define SIM_EXIT_REFUSED 0x100   /* a host call that the configuration does not allow */
#define SIM_EXIT_EXCEPTION 0x101 /* an exception that nobody could handle */
