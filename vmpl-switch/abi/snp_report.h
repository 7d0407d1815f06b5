/* SPDX-License-Identifier: Apache-2.0 */
/* The attestation report of AMD SEV-SNP (AMD document 56860, table "ATTESTATION_REPORT"), as the
 * hardware writes it: versions 2, 3 and 5. All integers are little-endian. C11-clean. Reserved
 * bytes are zero; what a version does not know is reserved in it. */
#pragma once

#include <stdint.h>

#define SNP_REPORT_SIZE 1184u
#define SNP_REPORT_SIGNED_SIZE 0x2a0u /* the signature covers the bytes before it */

#define SNP_POLICY_ABI_MINOR(policy) ((uint32_t)((policy) & 0xff))
#define SNP_POLICY_ABI_MAJOR(policy) ((uint32_t)(((policy) >> 8) & 0xff))
#define SNP_POLICY_SMT (1ull << 16)
#define SNP_POLICY_MUST_BE_ONE (1ull << 17)
#define SNP_POLICY_MIGRATION (1ull << 18)
#define SNP_POLICY_DEBUG (1ull << 19)
#define SNP_POLICY_SINGLE_SOCKET (1ull << 20)

#define SNP_SIGNATURE_ECDSA_P384_SHA384 1u

#define SNP_PLATFORM_SMT (1ull << 0)
#define SNP_PLATFORM_ALIAS_CHECK \
  (1ull << 5) /* the firmware found no two addresses of one memory cell */

#define SNP_KEY_INFO_AUTHOR_KEY (1u << 0)
#define SNP_KEY_INFO_CHIP_MASKED (1u << 1)
#define SNP_KEY_INFO_SIGNING_KEY(info) (((info) >> 2) & 7u)
#define SNP_KEY_INFO_RESERVED 0xffffffe0u
#define SNP_SIGNING_KEY_VCEK 0u
#define SNP_SIGNING_KEY_VLEK 1u
#define SNP_SIGNING_KEY_NONE 7u

/* Security version of each part of the platform, one byte a part: snp_tcb[SNP_TCB_*]. Turin (family
 * 0x1a) has a layout of its own. */
#define SNP_TCB_BOOT_LOADER 0
#define SNP_TCB_TEE 1
#define SNP_TCB_SNP 6
#define SNP_TCB_MICROCODE 7
#define SNP_TURIN_TCB_FMC 0
#define SNP_TURIN_TCB_BOOT_LOADER 1
#define SNP_TURIN_TCB_TEE 2
#define SNP_TURIN_TCB_SNP 3
#define SNP_TURIN_TCB_MICROCODE 7

struct snp_report {
  uint32_t version;              /* 0x000 */
  uint32_t guest_svn;            /* 0x004 */
  uint64_t policy;               /* 0x008: SNP_POLICY_* */
  uint8_t family_id[16];         /* 0x010 */
  uint8_t image_id[16];          /* 0x020 */
  uint32_t vmpl;                 /* 0x030: who asked; ~0: the host */
  uint32_t signature_algorithm;  /* 0x034 */
  uint8_t current_tcb[8];        /* 0x038 */
  uint64_t platform_info;        /* 0x040: SNP_PLATFORM_* */
  uint32_t key_info;             /* 0x048: SNP_KEY_INFO_* */
  uint32_t reserved0;            /* 0x04c */
  uint8_t report_data[64];       /* 0x050: chosen by the guest */
  uint8_t measurement[48];       /* 0x090: of the guest at launch */
  uint8_t host_data[32];         /* 0x0c0: chosen by the host at launch */
  uint8_t id_key_digest[48];     /* 0x0e0 */
  uint8_t author_key_digest[48]; /* 0x110 */
  uint8_t report_id[32];         /* 0x140 */
  uint8_t report_id_ma[32];      /* 0x160: of the migration agent */
  uint8_t reported_tcb[8];       /* 0x180: the certificate is for this one */
  uint8_t cpuid_family;          /* 0x188: this and the next two since version 3 */
  uint8_t cpuid_model;           /* 0x189 */
  uint8_t cpuid_stepping;        /* 0x18a */
  uint8_t reserved1[21];         /* 0x18b */
  uint8_t chip_id[64];        /* 0x1a0: Turin uses 8 bytes; zero when masked or signed by a VLEK */
  uint8_t committed_tcb[8];   /* 0x1e0: the firmware never goes below */
  uint8_t current_version[3]; /* 0x1e8: build, minor, major */
  uint8_t reserved2;          /* 0x1eb */
  uint8_t committed_version[3]; /* 0x1ec: build, minor, major */
  uint8_t reserved3;            /* 0x1ef */
  uint8_t launch_tcb[8];        /* 0x1f0 */
  uint64_t launch_mitigations;  /* 0x1f8: this and the next since version 5 */
  uint64_t current_mitigations; /* 0x200 */
  uint8_t reserved4[152];       /* 0x208 */
  uint8_t signature_r[72];      /* 0x2a0: little-endian; the upper 24 bytes are zero */
  uint8_t signature_s[72];      /* 0x2e8 */
  uint8_t reserved5[368];       /* 0x330 */
};
