/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* How a guest at VMPL1 calls what runs at VMPL0: AMD document 58019, "Secure VM Service Module".
 *
 * rax = protocol << 32 | call, arguments in rcx, rdx, r8, r9, call_pending = 1, then VMGEXIT "run VMPL
 * 0". Registers travel in the VMSA. On return rax is the result; call_pending still 1 means that
 * nobody served the call. C11-clean. */
#pragma once

#include "vmpl-switch/abi/types.h"

#define SVSM_CALL(protocol, call) ((uint64_t)(protocol) << 32 | (uint32_t)(call))

#define SVSM_PROTOCOL_CORE 0u
#define SVSM_PROTOCOL_ATTESTATION 1u

/* The calling area: one page of the guest's memory for each of its processors. */
#define SVSM_BUFFER_SIZE 4088u
struct svsm_calling_area {
  uint8_t call_pending;
  uint8_t memory_available;
  uint8_t no_eoi_required;
  uint8_t reserved[5];
  uint8_t buffer[SVSM_BUFFER_SIZE]; /* for arguments, while interrupts are off */
};

#define SVSM_SUCCESS 0x00000000u
#define SVSM_INCOMPLETE 0x80000000u /* not finished; call again */
#define SVSM_UNSUPPORTED_PROTOCOL 0x80000001u
#define SVSM_UNSUPPORTED_CALL 0x80000002u
#define SVSM_INVALID_ADDRESS 0x80000003u
#define SVSM_INVALID_FORMAT 0x80000004u
#define SVSM_INVALID_PARAMETER 0x80000005u
#define SVSM_INVALID_REQUEST 0x80000006u
#define SVSM_BUSY 0x80000007u
#define SVSM_PROTOCOL_RESULT 0x80001000u /* + a number that the protocol defines */

/* ---- core protocol ---- */

#define SVSM_CORE_REMAP_CA 0u      /* rcx: new calling area */
#define SVSM_CORE_PVALIDATE 1u     /* rcx: struct svsm_pvalidate_header and entries, in one page */
#define SVSM_CORE_CREATE_VCPU 2u   /* rcx: VMSA, rdx: calling area, r8: APIC id */
#define SVSM_CORE_DELETE_VCPU 3u   /* rcx: VMSA */
#define SVSM_CORE_DEPOSIT_MEMORY 4u
#define SVSM_CORE_WITHDRAW_MEMORY 5u
#define SVSM_CORE_QUERY_PROTOCOL 6u /* rcx: protocol << 32 | version; out: highest << 32 | lowest */
#define SVSM_CORE_CONFIGURE_VTOM 7u

struct svsm_pvalidate_header {
  uint16_t entries;
  uint16_t next; /* goes forward with each entry done */
  uint32_t reserved;
  /* uint64_t list[]: [1:0] SNP_SIZE_*, [2] validate, [3] an unchanged state is no error, [63:12] frame */
};
#define SVSM_PVALIDATE_SIZE(entry) ((entry) & 3u)
#define SVSM_PVALIDATE_VALIDATE (1ull << 2)
#define SVSM_PVALIDATE_IGNORE_CF (1ull << 3)
#define SVSM_PVALIDATE_UNCHANGED (SVSM_PROTOCOL_RESULT + 0x10u) /* CF was set */

/* ---- attestation protocol ---- */

#define SVSM_ATTEST_SERVICES 0u
#define SVSM_ATTEST_SINGLE_SERVICE 1u

struct svsm_attestation {
  uint64_t report;            /* buffers: page-aligned guest addresses */
  uint32_t report_size;
  uint32_t reserved0;
  uint64_t nonce;
  uint16_t nonce_size;
  uint8_t reserved1[6];
  uint64_t manifest;
  uint32_t manifest_size;
  uint32_t reserved2;
  uint64_t certificates;
  uint32_t certificates_size; /* 0: none wanted */
  uint32_t reserved3;
  uint8_t service[16];        /* from here on: SINGLE_SERVICE only */
  uint32_t manifest_version;
  uint32_t reserved4;
};
