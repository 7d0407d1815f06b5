/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory that an enclave shares with its loader. */
#ifndef _NSGX_WINDOW_H
#define _NSGX_WINDOW_H

#include <linux/mm_types.h>
#include <linux/types.h>

#include "vmpl-switch/abi/seh_calls.h"

struct window {
	struct page **pages;
	unsigned long count;
	unsigned long mappable; /* pages: all or none yet; read without a lock */
};

/* Returns 0 or -ENOMEM. */
int window_allocate(struct window *window, unsigned long count);
/* From now on it can be mapped. */
void window_publish(struct window *window);
/* Requires: the SEH has let go of the pages, and nobody maps the window anew. */
void window_free(struct window *window);
/* When the SEH has not let go of them. */
void window_lose(struct window *window);

/* Makes the pages the window of an enclave that was created just now. Returns as seh_call(). */
int window_share(struct window *window, u32 enclave, struct nsgx_seh_list *list);

int window_map(struct window *window, struct vm_area_struct *vma);

#endif
