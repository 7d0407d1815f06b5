/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* How a guest talks to its hypervisor: AMD document 56421, version 2 of the protocol. Everything in
 * here is shared memory or comes from the host, so it is believed by nobody. C11-clean. */
#pragma once

#include "vmpl-switch/abi/types.h"

/* ---- the MSR protocol: the low 12 bits of the GHCB MSR, when it holds no page address ---- */

#define GHCB_MSR_CODE(value) ((value) & 0xfffull)
#define GHCB_MSR_INFO_RESPONSE 0x001ull   /* [63:48] highest version, [47:32] lowest, [31:24] C-bit */
#define GHCB_MSR_INFO_REQUEST 0x002ull
#define GHCB_MSR_CPUID_REQUEST 0x004ull   /* [63:32] function, [31:30] register */
#define GHCB_MSR_CPUID_RESPONSE 0x005ull  /* [63:32] value */
#define GHCB_MSR_AP_RESET_HOLD_REQUEST 0x006ull
#define GHCB_MSR_AP_RESET_HOLD_RESPONSE 0x007ull
#define GHCB_MSR_PREFERRED_REQUEST 0x010ull
#define GHCB_MSR_PREFERRED_RESPONSE 0x011ull /* [63:12] frame; all ones: none */
#define GHCB_MSR_REGISTER_REQUEST 0x012ull   /* [63:12] frame */
#define GHCB_MSR_REGISTER_RESPONSE 0x013ull  /* [63:12] the same; all ones: refused */
#define GHCB_MSR_PAGE_STATE_REQUEST 0x014ull /* [55:52] GHCB_PAGE_*, [51:12] frame */
#define GHCB_MSR_PAGE_STATE_RESPONSE 0x015ull /* [63:32] error */
#define GHCB_MSR_RUN_VMPL_REQUEST 0x016ull   /* [39:32] VMPL */
#define GHCB_MSR_RUN_VMPL_RESPONSE 0x017ull  /* [63:32] error */
#define GHCB_MSR_FEATURES_REQUEST 0x080ull
#define GHCB_MSR_FEATURES_RESPONSE 0x081ull  /* [63:12] GHCB_FEATURE_* */
#define GHCB_MSR_TERMINATE 0x100ull          /* [15:12] set, [23:16] reason */

#define GHCB_VERSION 2u

#define GHCB_FEATURE_SNP (1ull << 0)
#define GHCB_FEATURE_AP_CREATION (1ull << 1)
#define GHCB_FEATURE_RESTRICTED_INJECTION (1ull << 2)
#define GHCB_FEATURE_APIC_IDS (1ull << 4)
#define GHCB_FEATURE_MULTI_VMPL (1ull << 5)

#define GHCB_PAGE_PRIVATE 1u
#define GHCB_PAGE_SHARED 2u
#define GHCB_PAGE_PSMASH 3u
#define GHCB_PAGE_UNSMASH 4u

/* ---- the page ---- */

#define GHCB_BUFFER_SIZE 0x7f0u

struct ghcb_page {
  uint8_t reserved0[0xcb];
  uint8_t cpl;                /* 0x0cb */
  uint8_t reserved1[0x74];
  uint64_t xss;               /* 0x140 */
  uint8_t reserved2[0x18];
  uint64_t dr7;               /* 0x160 */
  uint8_t reserved3[0x90];
  uint64_t rax;               /* 0x1f8 */
  uint8_t reserved4[0x108];
  uint64_t rcx, rdx, rbx;     /* 0x308 */
  uint8_t reserved5[0x70];
  uint64_t sw_exit_code;      /* 0x390 */
  uint64_t sw_exit_info_1;    /* 0x398 */
  uint64_t sw_exit_info_2;    /* 0x3a0 */
  uint64_t sw_scratch;        /* 0x3a8 */
  uint8_t reserved6[0x38];
  uint64_t xcr0;              /* 0x3e8 */
  uint8_t valid_bitmap[16];   /* 0x3f0: bit n: the eight bytes at 8 * n are meant */
  uint64_t x87_state;         /* 0x400 */
  uint8_t reserved7[0x3f8];
  uint8_t buffer[GHCB_BUFFER_SIZE]; /* 0x800 */
  uint8_t reserved8[0xa];
  uint16_t protocol_version;  /* 0xffa */
  uint32_t usage;             /* 0xffc: 0 */
};

/* Exit codes beyond those of the processor (snp.h). */
#define GHCB_EXIT_MMIO_READ 0x80000001u
#define GHCB_EXIT_MMIO_WRITE 0x80000002u
#define GHCB_EXIT_AP_RESET_HOLD 0x80000004u
#define GHCB_EXIT_PAGE_STATE 0x80000010u       /* scratch: struct ghcb_page_state_header and entries */
#define GHCB_EXIT_GUEST_REQUEST 0x80000011u    /* info 1, 2: pages of request and response, shared */
#define GHCB_EXIT_EXTENDED_GUEST_REQUEST 0x80000012u /* besides: rax data address, rbx its pages */
#define GHCB_EXIT_AP_CREATION 0x80000013u /* info 1: GHCB_AP_*, VMPL << 16, APIC id << 32; 2: VMSA */
#define GHCB_EXIT_DOORBELL 0x80000014u    /* info 1: GHCB_DOORBELL_*, 2: address */
#define GHCB_EXIT_APIC_IDS 0x80000017u
#define GHCB_EXIT_RUN_VMPL 0x80000018u    /* info 1: VMPL */
#define GHCB_EXIT_FEATURES 0x8000fffdu    /* info 2: GHCB_FEATURE_* */
#define GHCB_EXIT_TERMINATE 0x8000fffeu
#define GHCB_EXIT_UNSUPPORTED 0x8000ffffu

/* info 1 of the answer, low half; info 2 explains. */
#define GHCB_ANSWER_OK 0u
#define GHCB_ANSWER_EXCEPTION 1u /* info 2: an event as in EVENTINJ */
#define GHCB_ANSWER_MALFORMED 2u /* info 2: GHCB_MALFORMED_* */

#define GHCB_MALFORMED_NOT_REGISTERED 1u
#define GHCB_MALFORMED_USAGE 2u
#define GHCB_MALFORMED_SCRATCH 3u
#define GHCB_MALFORMED_MISSING_INPUT 4u
#define GHCB_MALFORMED_INVALID_INPUT 5u
#define GHCB_MALFORMED_INVALID_EVENT 6u

/* SNP_EXIT_IOIO, info 1. */
#define GHCB_IO_IN (1u << 0)
#define GHCB_IO_STRING (1u << 2)
#define GHCB_IO_REP (1u << 3)
#define GHCB_IO_8 (1u << 4)
#define GHCB_IO_16 (1u << 5)
#define GHCB_IO_32 (1u << 6)
#define GHCB_IO_ADDRESS_64 (1u << 9)
#define GHCB_IO_PORT(port) ((uint64_t)(port) << 16)

/* GHCB_EXIT_AP_CREATION */
#define GHCB_AP_CREATE_ON_INIT 0u
#define GHCB_AP_CREATE 1u
#define GHCB_AP_DESTROY 2u

/* GHCB_EXIT_DOORBELL */
#define GHCB_DOORBELL_PREFERRED 0u
#define GHCB_DOORBELL_SET 1u
#define GHCB_DOORBELL_QUERY 2u
#define GHCB_DOORBELL_CLEAR 3u

/* GHCB_EXIT_PAGE_STATE */
#define GHCB_PAGE_STATE_MAX_ENTRIES 253u
struct ghcb_page_state_header {
  uint16_t next; /* entry to do; goes forward */
  uint16_t end;
  uint32_t reserved;
  /* uint64_t entries[]: [11:0] page done, [51:12] frame, [55:52] GHCB_PAGE_*, [56] 2 MiB */
};

/* GHCB_EXIT_GUEST_REQUEST: the host's own errors, upper half of info 2; the lower half is the
 * firmware's. */
#define GHCB_REQUEST_TOO_SMALL 1u /* rbx: pages wanted */
#define GHCB_REQUEST_BUSY 2u      /* the same message again, later */

/* The doorbell: a shared page of which the host writes the events that it may no longer inject when
 * the VMSA has SNP_FEATURE_RESTRICTED_INJECTION. It then raises #HV, unless no_further_signal is set. */
#define GHCB_DOORBELL_NMI (1u << 0)
#define GHCB_DOORBELL_MACHINE_CHECK (1u << 1)
#define GHCB_DOORBELL_NO_FURTHER_SIGNAL (1u << 7)

struct ghcb_doorbell {
  uint8_t vector;
  uint8_t flags;           /* GHCB_DOORBELL_* */
  uint8_t no_eoi_required;
  uint8_t per_vmpl_events; /* bit n - 1: VMPL n has an event waiting and should be run */
  uint8_t reserved[60];
};
