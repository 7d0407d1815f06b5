/* SPDX-License-Identifier: Apache-2.0 */
/* What an enclave image holds besides code: launch configuration, signature, and how it is measured. C11-clean.
 * All integers are little-endian, all reserved bytes zero. docs/abi.md and docs/measurement.md explain them. */
#pragma once

#include <stdint.h>

#define NSGX_PAGE_SIZE 4096u

/* ---- launch configuration: section ".nsgx.config", loaded, read-only, page-aligned ---------------------------- */

#define NSGX_CONFIG_SECTION ".nsgx.config"
#define NSGX_CONFIG_MAGIC 0x314746435847534eull /* "NSGXCFG1" */
#define NSGX_CONFIG_VERSION 1u
#define NSGX_CONFIG_MAX_SIZE 65536u /* whole section, a multiple of the page size */

#define NSGX_ATTRIBUTE_DEBUG (1ull << 0)          /* the SEH lets a debugger read and write the enclave */
#define NSGX_ATTRIBUTE_ANY_ARGS (1ull << 1)       /* arguments from outside are passed on (they are in the report) */
#define NSGX_ATTRIBUTE_ANY_ENV (1ull << 2)        /* every environment variable from outside is passed on */
#define NSGX_ATTRIBUTE_HOST_SIGTERM (1ull << 3)   /* the host may deliver SIGTERM */
#define NSGX_ATTRIBUTE_ALL (0xfull)

#define NSGX_MIN_ADDRESS_RANGE (16ull << 20)
#define NSGX_MAX_ADDRESS_RANGE (1ull << 42)
#define NSGX_MAX_VCPUS 256u
#define NSGX_HOST_CALL_LIMIT 128u /* host-call numbers are below this */

/* A list of NUL-terminated strings: `count` strings start at `offset` from the beginning of the section. One configuration
 * has one encoding: the lists that are not empty lie one behind the other in the order of the fields, the first one right
 * behind the struct; an empty list is all zeros; the bytes behind the last list are zero. */
struct nsgx_string_list {
  uint32_t offset;
  uint32_t size; /* bytes of all strings, each with its NUL */
  uint32_t count;
  uint32_t reserved;
};

struct nsgx_config {
  uint64_t magic;
  uint32_t version;
  uint32_t size;                /* bytes in use, from magic to the end of the last list */
  uint64_t address_range_size;  /* power of two not needed; multiple of 2 MiB */
  uint64_t attributes;          /* NSGX_ATTRIBUTE_* */
  uint32_t max_vcpus;           /* thread slots, 1..NSGX_MAX_VCPUS */
  uint16_t product_id;
  uint16_t svn;                 /* security version number */
  uint64_t main_stack_size;     /* of main(); multiple of the page size */
  uint64_t host_calls[2];       /* bit n: host call n is allowed; derived at link time */
  struct nsgx_string_list env_allow; /* names of variables passed from outside; "NAME" or "PREFIX*" */
  struct nsgx_string_list env_fixed; /* "NAME=value" always set, measured */
  struct nsgx_string_list args_fixed; /* measured arguments after argv[0]; used when ANY_ARGS is off */
  struct nsgx_string_list mounts;    /* folders of the host that may be mounted: "hostfs:TARGET:OPTIONS" */
  struct nsgx_string_list files;     /* parts of the image shown as files: "OFFSET:SIZE:MODE:PATH" */
  uint8_t reserved[32];
};

/* The bytes of the files, each at the start of a page: a read-only segment behind all others, which nsgx-sign adds. */
#define NSGX_FILES_SECTION ".nsgx.files"

/* Host calls that the linked image can make: section ".nsgx.hostcalls" (not loaded), an array of uint32_t numbers,
 * one for each host-call stub that the linker kept. nsgx-sign turns it into nsgx_config.host_calls. */
#define NSGX_HOST_CALLS_SECTION ".nsgx.hostcalls"

/* ---- measurement ------------------------------------------------------------------------------------------- */

/* identity = SHA-256(header record, then one record for each page or run of zero pages, by ascending offset).
 *
 * Of a PT_LOAD segment, the pages that hold bytes of the file are NSGX_PAGE_DATA: what the segment does not name in its
 * first and last page is zero, whatever the file has there. The remaining pages are zero runs. Runs that touch and have
 * the same permissions are one. Permissions are those of the segment (R, RW, RX); pages in no segment have no record. */
#define NSGX_MEASURE_MAGIC 0x3153414d5847534eull /* "NSGXMAS1" */
#define NSGX_MEASURE_VERSION 1u

struct nsgx_measure_header {
  uint64_t magic;
  uint32_t version;
  uint32_t page_size;        /* 4096 */
  uint64_t image_size;       /* bytes from the first to the end of the last page, a multiple of the page size */
  uint64_t entry;            /* offset of the entry point */
  uint64_t config_offset;    /* where the configuration lies in the image */
  uint64_t config_size;      /* whole section, multiple of the page size */
  uint8_t config_sha256[32]; /* of the whole section */
};

#define NSGX_PAGE_DATA 1u     /* one page with contents */
#define NSGX_PAGE_ZERO_RUN 2u /* `page_count` pages of zeros */

#define NSGX_PERMISSION_READ 1u
#define NSGX_PERMISSION_WRITE 2u
#define NSGX_PERMISSION_EXECUTE 4u

struct nsgx_measure_record {
  uint64_t offset;
  uint32_t type;
  uint32_t permissions;
  union {
    uint8_t sha256[32]; /* NSGX_PAGE_DATA */
    struct {
      uint64_t page_count; /* NSGX_PAGE_ZERO_RUN */
      uint64_t reserved[3];
    } run;
  } u;
};

/* ---- signature: section ".nsgx.signature", not loaded ------------------------------------------------------- */

#define NSGX_SIGNATURE_SECTION ".nsgx.signature"
#define NSGX_SIGNATURE_MAGIC 0x314749535847534eull /* "NSGXSIG1" */
#define NSGX_SIGNATURE_VERSION 1u

struct nsgx_signature {
  /* The signed part: RSA-3072 PSS, SHA-256, salt 32, over these first 128 bytes. */
  uint64_t magic;
  uint32_t version;
  uint32_t date;              /* 20261121 = 21 November 2026 */
  uint8_t identity[32];
  uint64_t attributes;        /* what the signer allows ... */
  uint64_t attribute_mask;    /* ... in the bits that he cares about */
  uint16_t product_id;
  uint16_t svn;
  uint8_t reserved[60];
  /* Not signed. Signer = SHA-256(modulus); the exponent is always 65537. */
  uint8_t modulus[384];       /* big-endian */
  uint8_t signature[384];     /* big-endian */
};
