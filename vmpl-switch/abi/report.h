/* SPDX-License-Identifier: Apache-2.0 */
/* Reports, keys and evidence. C11-clean; all integers little-endian, reserved bytes zero. docs/attestation.md explains. */
#pragma once

#include <stdint.h>

#define NSGX_REPORT_MAGIC 0x3150455258534e00ull
#define NSGX_REPORT_VERSION 1u

/* What the SEH vouches for. */
struct nsgx_report_body {
  uint64_t magic;
  uint32_t version;
  uint32_t machine;             /* NSGX_MACHINE_* */
  uint8_t identity[32];         /* measurement of the enclave */
  uint8_t signer[32];           /* SHA-256 of the signer's modulus */
  uint16_t product_id;
  uint16_t svn;
  uint32_t seh_svn;             /* security version of the SEH */
  uint64_t attributes;
  uint8_t config_hash[32];
  uint8_t args_hash[32];        /* SHA-256 of struct nsgx_args and its strings */
  uint8_t host_calls_hash[32];  /* SHA-256 of nsgx_config.host_calls */
  uint8_t instance[16];         /* random, different for each launch */
  uint8_t report_data[64];      /* chosen by the enclave */
  uint8_t reserved[112];        /* up to 384 bytes */
};

/* Local attestation: a report that only the enclave with identity `target` can verify, on this machine, in this boot. */
struct nsgx_report_request {
  uint8_t target[32];
  uint8_t report_data[64];
};
struct nsgx_report {
  struct nsgx_report_body body;
  uint8_t target[32];
  uint8_t mac[32];              /* HMAC-SHA-256 over body and target */
};

/* Keys that survive: HKDF from the machine's root key. */
#define NSGX_KEY_BY_IDENTITY 1u /* only this very image */
#define NSGX_KEY_BY_SIGNER 2u   /* every image of this signer with this product id and svn >= the key's */
struct nsgx_key_request {
  uint32_t policy;              /* NSGX_KEY_BY_* */
  uint16_t svn;                 /* <= own svn */
  uint16_t reserved;
  uint8_t key_id[32];
};

/* Remote attestation. The SEH's P-384 key is bound by an SNP report made at VMPL0:
 * snp_report.report_data = SHA-512("NSGX SEH key v1" || seh_public_key || seh_svn as 4 bytes).
 * seh_signature is over SHA-384(body). Points and signatures are big-endian X || Y and R || S. */
struct nsgx_evidence_core {
  struct nsgx_report_body body;
  uint8_t seh_public_key[96];
  uint8_t seh_signature[96];
  uint8_t snp_report[1184];
};

/* evidence.bin: header, core, then certificates in DER, each preceded by its size as uint32_t: VCEK or VLEK, ASK, ARK. */
#define NSGX_EVIDENCE_MAGIC 0x314449455847534eull /* "NSGXEID1" */
#define NSGX_EVIDENCE_VERSION 1u
#define NSGX_EVIDENCE_MAX_SIZE 32768u
struct nsgx_evidence_header {
  uint64_t magic;
  uint32_t version;
  uint32_t size;              /* of everything, this header included */
  uint32_t certificate_count; /* 3 */
  uint32_t reserved;
};
