/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which a host gets what it launches at VMPL0: Independent Guest Virtual Machine format, version 1, as far as
 * an SNP image needs it. docs/seh.md says in which order we write the headers, and why. C11-clean. */
#pragma once

#include "vmpl-switch/abi/types.h"

#define IGVM_MAGIC 0x4d564749u /* "IGVM" */
#define IGVM_VERSION 1u

struct igvm_fixed_header {
  uint32_t magic;
  uint32_t version;
  uint32_t variable_offset; /* 0x18 */
  uint32_t variable_size;   /* a multiple of 8 */
  uint32_t total_size;
  uint32_t checksum;        /* CRC-32 of this header with 0 here, then of the variable headers */
};

/* Each variable header: this, `length` bytes, zeros to a multiple of 8. */
struct igvm_header {
  uint32_t type; /* IGVM_* */
  uint32_t length;
};

#define IGVM_SUPPORTED_PLATFORM 0x001u
#define IGVM_GUEST_POLICY 0x101u
#define IGVM_PARAMETER_AREA 0x301u
#define IGVM_PAGE_DATA 0x302u
#define IGVM_PARAMETER_INSERT 0x303u
#define IGVM_VP_CONTEXT 0x304u
#define IGVM_REQUIRED_MEMORY 0x305u
#define IGVM_VP_COUNT 0x307u
#define IGVM_SNP_ID_BLOCK 0x30bu
#define IGVM_MEMORY_MAP 0x30cu
#define IGVM_ENVIRONMENT_INFO 0x313u

#define IGVM_PLATFORM_SEV_SNP 2u
struct igvm_supported_platform {
  uint32_t mask; /* one bit */
  uint8_t highest_vtl;
  uint8_t type;
  uint16_t version; /* 1 */
  uint64_t shared_gpa_boundary;
};

struct igvm_guest_policy {
  uint64_t policy;
  uint32_t mask;
  uint32_t reserved;
};

struct igvm_parameter_area {
  uint64_t size;
  uint32_t index;
  uint32_t file_offset;
};

/* VP_COUNT (u32), MEMORY_MAP (struct igvm_memory_map_entry), ENVIRONMENT_INFO (u32): what the host puts where. */
struct igvm_parameter {
  uint32_t index;
  uint32_t offset;
};

struct igvm_parameter_insert {
  uint64_t gpa;
  uint32_t mask;
  uint32_t index;
};

#define IGVM_PAGE_2M (1u << 0)
#define IGVM_PAGE_UNMEASURED (1u << 1)
#define IGVM_PAGE_SHARED (1u << 2)
#define IGVM_DATA_NORMAL 0u
#define IGVM_DATA_SECRETS 1u
#define IGVM_DATA_CPUID 2u
struct igvm_page_data {
  uint64_t gpa;
  uint32_t mask;
  uint32_t file_offset; /* 0: a page of zeros */
  uint32_t flags;
  uint16_t type;
  uint16_t reserved;
};

#define IGVM_VP_CONTEXT_SIZE 20u /* in the file: without this struct's last four bytes */
struct igvm_vp_context {
  uint64_t gpa;
  uint32_t mask;
  uint32_t file_offset; /* struct snp_vmsa */
  uint16_t index;
  uint16_t reserved;
};

struct igvm_required_memory {
  uint64_t gpa;
  uint32_t mask;
  uint32_t size;
  uint32_t flags;
  uint32_t reserved;
};

#define IGVM_MEMORY_RAM 0u
#define IGVM_MEMORY_RESERVED 1u
struct igvm_memory_map_entry {
  uint64_t first_page;
  uint64_t page_count; /* 0 ends the list */
  uint16_t type;       /* IGVM_MEMORY_* */
  uint16_t flags;
  uint32_t reserved;
};
