/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that Linux lends to an enclave: they are the SEH's until RECLAIM has returned them. */
#ifndef _NSGX_LENDING_H
#define _NSGX_LENDING_H

#include <linux/types.h>
#include <linux/xarray.h>

#include "vmpl-switch/abi/seh_calls.h"

struct lending {
	struct xarray lent; /* page frame -> struct chunk */
	struct nsgx_seh_list *list; /* a page for the calls */
};

int lending_start(struct lending *lending);
/* Whatever is still lent is lost: it is never used again, and the log says so. */
void lending_end(struct lending *lending);

/*
 * Donates @count pages to @enclave. Returns 0, -ENOMEM (fewer may have been donated), or as
 * seh_call().
 */
int lending_donate(struct lending *lending, u32 enclave, unsigned long count);

/* Takes back what @enclave does not use. Returns 0 or as seh_call(). */
int lending_reclaim(struct lending *lending, u32 enclave);

#endif
