/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Calls from the guest kernel (VMPL1) to the SEH: a protocol of ours in the convention of svsm.h. The guest is not trusted:
 * each address is checked to be the guest's own ordinary memory, each structure is copied once. C11-clean.
 *
 * Results: those of svsm.h, or SVSM_PROTOCOL_RESULT + NSGX_<status> (status.h). A call that fails has changed nothing, except
 * where it counts pages: then rcx says how many are done, with every result of our own and with SVSM_INCOMPLETE; with other
 * results of svsm.h none are. SVSM_INCOMPLETE: something waits for the guest; go on with the pages that are left, and repeat a
 * call that counts none as it was. NSGX_NO_MEMORY of a call that names an enclave: donate pages and go on in the same way; a
 * guest that has none to give lets it be. */
#pragma once

#include "vmpl-switch/abi/types.h"

#define NSGX_SEH_PROTOCOL 0x4e534758u /* "NSGX" */
#define NSGX_SEH_VERSION 1u

/* Addresses of pages, in a page of its own. */
#define NSGX_SEH_LIST_PAGES 511u
struct nsgx_seh_list {
  uint32_t count;
  uint32_t reserved;
  uint64_t pages[NSGX_SEH_LIST_PAGES];
};

/* () -> rcx: version, rdx: enclaves that exist, r8: most enclaves, r9: pages that enclaves hold now */
#define NSGX_SEH_QUERY 0u
/* (address of struct nsgx_seh_create) -> rcx: enclave, never 0. It has an empty pool: what needs pages waits for donations. */
#define NSGX_SEH_CREATE 1u
/* (enclave, list) -> rcx: pages done. The pages become the enclave's pool; the guest can't reach them any more. They are to
 * be ordinary memory of the guest, each given once. */
#define NSGX_SEH_DONATE 2u
/* (enclave, list to fill) -> rcx: pages. Takes back what the enclave does not use: scrubbed, the guest's again. After DESTROY
 * until the answer is 0 pages; then the enclave's number is free. */
#define NSGX_SEH_RECLAIM 3u
/* (enclave, offset, NSGX_PERMISSION_*, list of pages to copy) -> rcx: pages done */
#define NSGX_SEH_ADD_PAGES 4u
/* (enclave, offset, NSGX_PERMISSION_*, page count) -> rcx: pages done */
#define NSGX_SEH_ADD_ZERO_PAGES 5u
/* (enclave, list, index of the first) -> rcx: pages done. Before INIT: pages of the guest that become the shared window, slot
 * after slot. They stay the guest's, but can't be given away until the enclave is destroyed. */
#define NSGX_SEH_ADD_WINDOW 6u
/* (enclave, list of pages, size of the arguments): struct nsgx_signature at the start of the first page, arguments behind it */
#define NSGX_SEH_INIT 7u
/* (enclave | slot << 32, answer, NSGX_SEH_ENTER_*) -> rcx: NSGX_SEH_EXIT_*; struct nsgx_seh_exit in the calling area's buffer.
 * NSGX_BAD_STATE: the enclave is over, or not initialised. NSGX_BUSY: another processor is in this slot. */
#define NSGX_SEH_ENTER 8u
/* (enclave). NSGX_BUSY: a slot runs on a processor at this moment. One that was interrupted, or that waits for an answer, is
 * ended. */
#define NSGX_SEH_DESTROY 9u
/* (enclave, page for struct nsgx_seh_info) */
#define NSGX_SEH_INFO 10u
/* (list of pages to fill) -> rcx: bytes. The certificates that go with evidence, from the host, as in evidence.bin behind the core. */
#define NSGX_SEH_CERTIFICATES 11u
/* (enclave, address, page, size <= 4096): debug enclaves only */
#define NSGX_SEH_DEBUG_READ 12u
#define NSGX_SEH_DEBUG_WRITE 13u
#define NSGX_SEH_LAST_CALL 13u

struct nsgx_seh_create {
  uint64_t config_offset;  /* of the configuration in the image */
  uint64_t image_size;
  uint64_t entry;          /* offset in the image */
  uint32_t vcpus;
  uint32_t config_size;
  uint64_t window_size;    /* bytes a slot */
  uint64_t config[16];     /* pages with the configuration section */
};

/* A preemption tick: delivered to a slot that was interrupted, noted in nsgx_slot.pending of one that comes back from a call. */
#define NSGX_SEH_ENTER_TICK 1u

/* The first six are those of Device (vmpl-switch/device/device.h). */
#define NSGX_SEH_EXIT_HOST_CALL 0u
#define NSGX_SEH_EXIT_IDLE 1u
#define NSGX_SEH_EXIT_WAKE 2u
#define NSGX_SEH_EXIT_DONE 3u
#define NSGX_SEH_EXIT_EXCEPTION 4u
#define NSGX_SEH_EXIT_REFUSED 5u
#define NSGX_SEH_EXIT_INTERRUPTED 6u /* something waits for the guest; enter again, the answer is ignored */
/* arguments[0]: pages to donate; then enter again, the answer is ignored. Who enters again without a donation makes what
 * needed the pages fail with NSGX_NO_MEMORY inside. */
#define NSGX_SEH_EXIT_NO_PAGES 7u

struct nsgx_seh_exit {
  uint32_t reason; /* NSGX_SEH_EXIT_* */
  uint32_t reserved;
  uint64_t number;
  uint64_t arguments[4];
};

/* Counters and what a loader may know. */
struct nsgx_seh_info {
  uint8_t identity[32];
  uint32_t state;            /* 1 loading, 2 running, 3 done, 4 crashed, 5 destroyed */
  uint32_t machine;          /* NSGX_MACHINE_* */
  uint64_t pool_pages;       /* donated and not in use */
  uint64_t used_pages;
  uint64_t tsc_khz;
  uint64_t now;              /* ns of the clock that NSGX_GATE_CLOCK describes */
  uint64_t exits[8];         /* by NSGX_SEH_EXIT_* */
  uint64_t gate_calls[16];   /* by number - NSGX_GATE_FIRST_SEH_CALL */
  uint64_t exceptions, ticks, syscalls_reflected;
  uint64_t pages_loaded, pages_hashed;
  /* Why it died. Address and registers only of debug enclaves. */
  uint64_t crash_cause, crash_address, crash_image_offset;
  uint64_t crash_registers[18];
};
