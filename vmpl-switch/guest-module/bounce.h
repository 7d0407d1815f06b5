/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that the SEH copies from: the copy of what a program passes, with the list that names them.
 */
#ifndef _NSGX_BOUNCE_H
#define _NSGX_BOUNCE_H

#include <linux/types.h>

#include "vmpl-switch/abi/seh_calls.h"

struct bounce {
	struct nsgx_seh_list *list;
	void *pages[NSGX_SEH_LIST_PAGES];
	u32 count;
};

/* Returns NULL when there is no memory. All zeros. */
struct bounce *bounce_allocate(u32 count);
void bounce_free(struct bounce *bounce);

/* Makes the list name @count pages from number @first on. */
void bounce_list(struct bounce *bounce, u32 first, u32 count);

/* Copies @size bytes from the caller, to @offset in the pages as if they were one buffer. */
int bounce_fill(struct bounce *bounce, u64 offset, const void __user *from, u64 size);

#endif
