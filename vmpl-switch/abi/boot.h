/* SPDX-License-Identifier: Apache-2.0 */
/* What the SEH tells a new enclave about its world. Lies in enclave memory, so it is trusted as the SEH is. C11-clean. */
#pragma once

#include <stdint.h>

#define NSGX_BOOT_MAGIC 0x31544f425847534eull /* "NSGXBOT1" */

#define NSGX_MACHINE_SIM 1u
#define NSGX_MACHINE_EMU 2u
#define NSGX_MACHINE_SNP 3u

struct nsgx_boot {
  uint64_t magic;
  uint32_t version;            /* 1 */
  uint32_t machine;            /* NSGX_MACHINE_* */
  uint64_t base;               /* of the address range */
  uint64_t address_range_size;
  uint64_t image_size;
  uint64_t heap;               /* first address that the library OS may commit */
  uint64_t config;             /* address of the SEH's copy of struct nsgx_config (the measured bytes) */
  uint64_t config_size;
  uint64_t args;               /* address of the SEH's copy of the arguments, see below */
  uint64_t args_size;
  uint32_t vcpus;              /* slots that exist: min(config, what the loader asked for) */
  uint32_t xsave_size;         /* bytes of an XSAVE area with all of xcr0 */
  uint64_t xcr0;               /* 0: this processor has no XSAVE; xsave_size is 512, for FXSAVE */
  uint64_t tsc_khz;            /* 0: unknown, use the clock call */
  uint8_t seed[64];            /* fresh random bytes for this enclave alone */
};

/* Arguments: nsgx_args, then argc + envc NUL-terminated strings. Chosen by the untrusted loader; the SEH checks the format,
 * copies them once, and puts the SHA-256 of the copy into the report. Policy is applied by the library OS. */
#define NSGX_ARGS_MAX_SIZE (1u << 20)
struct nsgx_args {
  uint32_t argc;
  uint32_t envc;
};
