/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What AMD SEV-SNP gives a guest: registers, instructions, pages that the firmware fills in. AMD's
 * documents 24593 (APM volume 2, chapter 15) and 56860 (SNP firmware ABI). C11-clean. */
#pragma once

#include "vmpl-switch/abi/types.h"

/* ---- model-specific registers ---- */

#define SNP_MSR_GHCB 0xc0010130u
#define SNP_MSR_SEV_STATUS 0xc0010131u
#define SNP_MSR_SVSM_CAA 0xc001f000u /* answered by the guest's own #VC handler, not by hardware */

/* SEV_STATUS. A VMSA's sev_features are these bits shifted right by 2. */
#define SNP_STATUS_SEV (1ull << 0)
#define SNP_STATUS_SEV_ES (1ull << 1)
#define SNP_STATUS_SEV_SNP (1ull << 2)
#define SNP_STATUS_VTOM (1ull << 3)
#define SNP_STATUS_REFLECT_VC (1ull << 4)
#define SNP_STATUS_RESTRICTED_INJECTION (1ull << 5)
#define SNP_STATUS_ALTERNATE_INJECTION (1ull << 6)
#define SNP_STATUS_DEBUG_SWAP (1ull << 7)
#define SNP_STATUS_SECURE_TSC (1ull << 11)
#define SNP_FEATURES_FROM_STATUS(status) ((status) >> 2)
#define SNP_FEATURE_SNP (SNP_STATUS_SEV_SNP >> 2)
#define SNP_FEATURE_RESTRICTED_INJECTION (SNP_STATUS_RESTRICTED_INJECTION >> 2)

/* CPUID 0x8000001f: eax bit 1 SEV, 3 SEV-ES, 4 SNP, 28 SVSM (set by a guest for itself); ebx[5:0]
 * the position of the C-bit in a page-table entry. */
#define SNP_CPUID_LEAF 0x8000001fu

/* ---- PVALIDATE, RMPADJUST, RMPQUERY ---- */

#define SNP_SIZE_4K 0u
#define SNP_SIZE_2M 1u

/* Results in eax. PVALIDATE sets CF as well when the state did not change. */
#define SNP_OK 0u
#define SNP_FAIL_INPUT 1u
#define SNP_FAIL_PERMISSION 2u
#define SNP_FAIL_IN_USE 3u
#define SNP_FAIL_SIZE_MISMATCH 6u

/* RMPADJUST's rdx: [7:0] the VMPL that gets rights, [15:8] its rights, [16] the page is a VMSA. */
#define SNP_RIGHT_READ (1u << 0)
#define SNP_RIGHT_WRITE (1u << 1)
#define SNP_RIGHT_EXECUTE_USER (1u << 2)
#define SNP_RIGHT_EXECUTE_SUPERVISOR (1u << 3)
#define SNP_RIGHTS_ALL 0xfu
#define SNP_RMPADJUST(vmpl, rights) ((uint64_t)(vmpl) | (uint64_t)(rights) << 8)
#define SNP_RMPADJUST_VMSA (1ull << 16)

/* ---- exceptions and exit codes ---- */

#define SNP_VECTOR_HV 28u /* #HV: the doorbell, see ghcb.h */
#define SNP_VECTOR_VC 29u /* #VC: error code = the exit code that the host would have got */

#define SNP_EXIT_INTR 0x60u
#define SNP_EXIT_RDTSC 0x6eu
#define SNP_EXIT_CPUID 0x72u
#define SNP_EXIT_HLT 0x78u
#define SNP_EXIT_IOIO 0x7bu
#define SNP_EXIT_MSR 0x7cu
#define SNP_EXIT_SHUTDOWN 0x7fu
#define SNP_EXIT_VMMCALL 0x81u
#define SNP_EXIT_RDTSCP 0x87u
#define SNP_EXIT_WBINVD 0x89u
#define SNP_EXIT_NPF 0x400u
#define SNP_EXIT_VMGEXIT 0x403u
#define SNP_EXIT_NOT_VALIDATED 0x404u /* #VC only: the page is not validated; cr2 names it */

/* ---- the VMSA: one virtual processor of one VMPL, 4096 bytes, private memory ---- */

struct snp_segment {
  uint16_t selector;
  uint16_t attributes; /* descriptor bits 47:40, then 55:52 above them */
  uint32_t limit;
  uint64_t base;
};

struct snp_vmsa {
  struct snp_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; /* 0x000 */
  uint64_t shadow_stacks[4];        /* 0x0a0: of rings 0 to 3 */
  uint64_t u_cet;                   /* 0x0c0 */
  uint8_t reserved0[2];
  uint8_t vmpl;                     /* 0x0ca */
  uint8_t cpl;                      /* 0x0cb */
  uint8_t reserved1[4];
  uint64_t efer;                    /* 0x0d0 */
  uint8_t reserved2[0x68];
  uint64_t xss;                     /* 0x140 */
  uint64_t cr4, cr3, cr0;           /* 0x148 */
  uint64_t dr7, dr6;                /* 0x160 */
  uint64_t rflags, rip;             /* 0x170 */
  uint64_t dr[4];                   /* 0x180 */
  uint64_t dr_mask[4];              /* 0x1a0 */
  uint8_t reserved3[0x18];
  uint64_t rsp;                     /* 0x1d8 */
  uint64_t s_cet, ssp, isst;        /* 0x1e0 */
  uint64_t rax;                     /* 0x1f8 */
  uint64_t star, lstar, cstar, sfmask, kernel_gs_base; /* 0x200 */
  uint64_t sysenter_cs, sysenter_esp, sysenter_eip;    /* 0x228 */
  uint64_t cr2;                     /* 0x240 */
  uint8_t reserved4[0x20];
  uint64_t g_pat;                   /* 0x268 */
  uint64_t dbgctl, br_from, br_to, last_exception_from, last_exception_to; /* 0x270 */
  uint8_t reserved5[0x48];
  uint64_t spec_ctrl;               /* 0x2e0 */
  uint32_t pkru;                    /* 0x2e8 */
  uint32_t tsc_aux;                 /* 0x2ec */
  uint64_t tsc_scale, tsc_offset, reg_prot_nonce; /* 0x2f0 */
  uint64_t rcx, rdx, rbx, reserved6, rbp, rsi, rdi; /* 0x308 */
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;    /* 0x340 */
  uint8_t reserved7[0x10];
  uint64_t guest_exit_info_1, guest_exit_info_2, guest_exit_int_info, guest_nrip; /* 0x390 */
  uint64_t sev_features;            /* 0x3b0 */
  uint64_t vintr_ctrl;              /* 0x3b8 */
  uint64_t guest_exit_code;         /* 0x3c0 */
  uint64_t virtual_tom, tlb_id, pcpu_id; /* 0x3c8 */
  uint64_t event_inj;               /* 0x3e0 */
  uint64_t xcr0;                    /* 0x3e8 */
  uint8_t reserved8[0x10];
  uint64_t x87_dp;                  /* 0x400 */
  uint32_t mxcsr;                   /* 0x408 */
  uint16_t x87_ftw, x87_fsw, x87_fcw, x87_fop, x87_ds, x87_cs; /* 0x40c */
  uint64_t x87_rip;                 /* 0x418 */
  uint8_t x87_registers[80];        /* 0x420 */
  uint8_t xmm[256];                 /* 0x470 */
  uint8_t ymm_high[256];            /* 0x570 */
  uint8_t reserved9[0x990];
};

#define SNP_EFER_SVME (1ull << 12) /* a VMSA without it cannot be run */
#define SNP_PAT_RESET 0x0007040600070406ull

/* ---- pages that the firmware fills in at launch ---- */

#define SNP_VMPCK_COUNT 4u

struct snp_secrets {
  uint32_t version;
  uint32_t flags;                   /* bit 0: migration agent */
  uint32_t family_model_stepping;
  uint32_t reserved0;
  uint8_t gosvw[16];                /* 0x010 */
  uint8_t vmpck[4][32];             /* 0x020: keys of the guest messages, one a VMPL */
  uint32_t message_count[4];        /* 0x0a0: from here to 0x100 the guest's own */
  uint64_t ap_jump_table;           /* 0x0b0 */
  uint8_t guest_reserved[40];
  uint8_t guest_usage[32];          /* 0x0e0 */
  uint8_t vmsa_tweak[64];           /* 0x100 */
  uint64_t svsm_base;               /* 0x140: from here to 0x160 written by an SVSM for its guest */
  uint64_t svsm_size;               /* not 0: there is an SVSM */
  uint64_t svsm_caa;                /* calling area of the first processor */
  uint32_t svsm_max_version;
  uint8_t svsm_guest_vmpl;          /* 0x15c */
  uint8_t reserved1[3];
  uint32_t tsc_factor;              /* 0x160 */
  uint8_t reserved2[0xe9c];
};

struct snp_cpuid_entry {
  uint32_t eax_in, ecx_in;
  uint64_t xcr0_in, xss_in;
  uint32_t eax, ebx, ecx, edx;
  uint64_t reserved;
};

#define SNP_CPUID_MAX_ENTRIES 64u

struct snp_cpuid_page {
  uint32_t count;
  uint32_t reserved0;
  uint64_t reserved1;
  struct snp_cpuid_entry entries[64];
  uint8_t reserved2[1008];
};

/* ---- launch measurement: digest = SHA-384 of one of these a page ---- */

#define SNP_PAGE_NORMAL 1u
#define SNP_PAGE_VMSA 2u
#define SNP_PAGE_ZERO 3u
#define SNP_PAGE_UNMEASURED 4u
#define SNP_PAGE_SECRETS 5u
#define SNP_PAGE_CPUID 6u

struct snp_page_info {
  uint8_t digest[48];               /* so far; zeros at the start */
  uint8_t contents[48];             /* SHA-384 of the page for NORMAL and VMSA, else zeros */
  uint16_t length;                  /* 0x70 */
  uint8_t page_type;                /* SNP_PAGE_* */
  uint8_t is_imi;
  uint8_t reserved;
  uint8_t rights[3];                /* of VMPL3, 2, 1 */
  uint64_t gpa;
};

#define SNP_VMSA_GPA 0xfffffffff000ull /* where KVM puts every VMSA that it launches with */

/* ---- guest messages: to the secure processor, encrypted with AES-256-GCM under a VMPCK ---- */

#define SNP_MESSAGE_CPUID_REQUEST 1u
#define SNP_MESSAGE_KEY_REQUEST 3u
#define SNP_MESSAGE_KEY_RESPONSE 4u
#define SNP_MESSAGE_REPORT_REQUEST 5u
#define SNP_MESSAGE_REPORT_RESPONSE 6u

#define SNP_MESSAGE_AES_256_GCM 1u
#define SNP_MESSAGE_HEADER_SIZE 0x60u
#define SNP_MESSAGE_AAD_OFFSET 0x30u /* authenticated: from here to the end of the header */
/* Nonce: the sequence number, little-endian, and four zero bytes. */

struct snp_message_header {
  uint8_t tag[32];                  /* 16 in use */
  uint64_t sequence;
  uint64_t reserved0;
  uint8_t algorithm;                /* 0x30 */
  uint8_t header_version;           /* 1 */
  uint16_t header_size;
  uint8_t type;
  uint8_t version;                  /* 1 */
  uint16_t payload_size;
  uint32_t reserved1;
  uint8_t vmpck;                    /* 0x3c */
  uint8_t reserved2[35];
};

#define SNP_STATUS_MESSAGE_OK 0u
#define SNP_STATUS_INVALID_PARAMETER 0x16u
#define SNP_STATUS_INVALID_KEY 0x27u

struct snp_report_request {
  uint8_t report_data[64];
  uint32_t vmpl;                    /* >= that of the asker */
  uint32_t key_select;              /* 0: VLEK or else VCEK; 1: VCEK; 2: VLEK */
  uint8_t reserved[24];
};
struct snp_report_response {
  uint32_t status;
  uint32_t report_size;
  uint8_t reserved[24];
  uint8_t report[1184];             /* struct snp_report */
};

#define SNP_KEY_FIELD_POLICY (1ull << 0)
#define SNP_KEY_FIELD_IMAGE_ID (1ull << 1)
#define SNP_KEY_FIELD_FAMILY_ID (1ull << 2)
#define SNP_KEY_FIELD_MEASUREMENT (1ull << 3)
#define SNP_KEY_FIELD_GUEST_SVN (1ull << 4)
#define SNP_KEY_FIELD_TCB (1ull << 5)

struct snp_key_request {
  uint32_t root_key;                /* 0: of the chip; 1: VMRK */
  uint32_t reserved;
  uint64_t fields;                  /* SNP_KEY_FIELD_*: what the key depends on */
  uint32_t vmpl;
  uint32_t guest_svn;
  uint64_t tcb;
};
struct snp_key_response {
  uint32_t status;
  uint8_t reserved[28];
  uint8_t key[32];
};

/* ---- how a guest kernel finds its pages ---- */

#define SNP_CC_BLOB_MAGIC 0x45444d41u /* "AMDE" */
#define SNP_SETUP_CC_BLOB 7u          /* type of the setup_data node whose payload is its address, u32 */

struct snp_cc_blob {
  uint32_t magic;
  uint16_t version;
  uint16_t reserved0;
  uint64_t secrets_address;
  uint32_t secrets_size;
  uint32_t reserved1;
  uint64_t cpuid_address;
  uint32_t cpuid_size;
  uint32_t reserved2;
};
