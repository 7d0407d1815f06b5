// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bounce.h"

void bounce_free(struct bounce *bounce)
{
	u32 i;

	if (!bounce)
		return;
	for (i = 0; i < bounce->count; i++)
		free_page((unsigned long)bounce->pages[i]);
	free_page((unsigned long)bounce->list);
	kfree(bounce);
}

struct bounce *bounce_allocate(u32 count)
{
	struct bounce *bounce = kzalloc(sizeof(*bounce), GFP_KERNEL_ACCOUNT);

	if (!bounce)
		return NULL;
	bounce->list = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!bounce->list)
		goto failed;
	for (; bounce->count < count; bounce->count++) {
		void *page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!page)
			goto failed;
		bounce->pages[bounce->count] = page;
	}
	return bounce;
failed:
	bounce_free(bounce);
	return NULL;
}

void bounce_list(struct bounce *bounce, u32 first, u32 count)
{
	u32 i;

	bounce->list->count = count;
	for (i = 0; i < count; i++)
		bounce->list->pages[i] = virt_to_phys(bounce->pages[first + i]);
}

int bounce_fill(struct bounce *bounce, u64 offset, const void __user *from, u64 size)
{
	while (size) {
		u64 in_page = offset_in_page(offset);
		u64 part = min_t(u64, size, PAGE_SIZE - in_page);

		if (copy_from_user(bounce->pages[offset / PAGE_SIZE] + in_page, from, part))
			return -EFAULT;
		offset += part;
		from += part;
		size -= part;
	}
	return 0;
}
