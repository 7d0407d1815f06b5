// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page that is lent stays in the kernel's direct map, but whoever touches it gets no answer: on a
 * processor the guest would be stopped. So nothing in Linux may touch it:
 *
 * - It is allocated by this module, in no list and no cache, and marked as offline: /proc/kcore,
 * crash dumps and hibernation leave such pages out.
 * - The kernel reads strings by words, also over the end of a page (load_unaligned_zeropad). So the
 * page before a lent page is lent too, or belongs to the module: pages are taken in chunks of which
 * the first page stays here as a guard.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "accounts.h"
#include "lending.h"
#include "seh_call.h"

/* With its guard, a chunk of this order fills a list. */
#define MAX_CHUNK_ORDER 9

struct chunk {
	struct page *guard;
	unsigned long lent; /* pages of this chunk that are with the SEH */
};

int lending_start(struct lending *lending)
{
	BUILD_BUG_ON(sizeof(struct nsgx_seh_list) != PAGE_SIZE);
	BUILD_BUG_ON((1ul << MAX_CHUNK_ORDER) - 1 > NSGX_SEH_LIST_PAGES);

	xa_init(&lending->lent);
	lending->list = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return lending->list ? 0 : -ENOMEM;
}

void lending_end(struct lending *lending)
{
	unsigned long frame, lost = 0;
	struct chunk *chunk;

	xa_for_each(&lending->lent, frame, chunk)
		lost++;
	if (lost) {
		pr_err("the SEH did not give back %lu pages; they are lost until the machine "
		       "starts anew\n",
		       lost);
		accounts_lose(lost);
	}
	xa_destroy(&lending->lent);
	free_page((unsigned long)lending->list);
}

static void release_chunk(struct chunk *chunk)
{
	if (--chunk->lent)
		return;
	__free_page(chunk->guard);
	accounts_release(1);
	kfree(chunk);
}

/* The page is Linux's again. */
static void take_back(struct lending *lending, unsigned long frame)
{
	struct chunk *chunk = xa_erase(&lending->lent, frame);
	struct page *page = pfn_to_page(frame);

	if (!chunk) {
		pr_err_ratelimited("the SEH gave back page frame %#lx, which it did not have\n",
				   frame);
		return;
	}
	__ClearPageOffline(page);
	__free_page(page);
	accounts_release(1);
	release_chunk(chunk);
}

/* Takes up to @count pages, and a guard, from Linux and appends them to the list. Returns how many;
 * 0: there are none. */
static unsigned long append_chunk(struct lending *lending, unsigned long count)
{
	struct nsgx_seh_list *list = lending->list;
	unsigned int order = min_t(unsigned int, ilog2(count + 1), MAX_CHUNK_ORDER);
	struct page *first = NULL;
	struct chunk *chunk;
	unsigned long i, taken = 0;

	chunk = kmalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return 0;
	for (;; order--) {
		gfp_t flags = GFP_KERNEL_ACCOUNT | __GFP_NOWARN;

		/* Large blocks are a convenience: no effort for them. */
		if (order > 1)
			flags |= __GFP_NORETRY;
		if (accounts_charge(1ul << order)) {
			first = alloc_pages(flags, order);
			if (first)
				break;
			accounts_release(1ul << order);
		}
		if (order == 1) {
			kfree(chunk);
			return 0;
		}
	}
	split_page(first, order);
	chunk->guard = first;
	/* One more for this function, so that the chunk stays while it is filled. */
	chunk->lent = 1;

	for (i = 1; i < 1ul << order; i++) {
		unsigned long frame = page_to_pfn(first) + i;

		if (xa_err(xa_store(&lending->lent, frame, chunk, GFP_KERNEL)))
			break;
		__SetPageOffline(first + i);
		chunk->lent++;
		list->pages[list->count++] = (u64)frame << PAGE_SHIFT;
		taken++;
	}
	for (; i < 1ul << order; i++) {
		__free_page(first + i);
		accounts_release(1);
	}
	release_chunk(chunk);
	return taken;
}

/* Donates the pages of the list. What the SEH does not take is Linux's again. */
static int donate_list(struct lending *lending, u32 enclave)
{
	struct nsgx_seh_list *list = lending->list;
	u32 total = list->count, done = 0;
	int result = 0;

	while (done < total) {
		struct seh_arguments arguments = { .rcx = enclave, .rdx = virt_to_phys(list) };
		u32 now;

		result = seh_call(NSGX_SEH_DONATE, &arguments);
		now = seh_pages_done(result, &arguments, list->count);
		done += now;
		list->count -= now;
		memmove(list->pages, list->pages + now, list->count * sizeof(list->pages[0]));
		if (result && result != -EAGAIN)
			break;
		if (!result && !now) {
			result = -EPROTO;
			break;
		}
		seh_breathe();
	}
	while (list->count)
		take_back(lending, list->pages[--list->count] >> PAGE_SHIFT);
	return result == -EAGAIN ? 0 : result;
}

int lending_donate(struct lending *lending, u32 enclave, unsigned long count)
{
	struct nsgx_seh_list *list = lending->list;

	while (count) {
		unsigned long batch = min(count, (unsigned long)NSGX_SEH_LIST_PAGES);
		int result;

		list->count = 0;
		list->reserved = 0;
		while (list->count < batch) {
			if (!append_chunk(lending, batch - list->count))
				break;
		}
		if (!list->count)
			return -ENOMEM;
		count -= list->count;
		result = donate_list(lending, enclave);
		if (result)
			return result;
	}
	return 0;
}

int lending_reclaim(struct lending *lending, u32 enclave)
{
	struct nsgx_seh_list *list = lending->list;

	for (;;) {
		struct seh_arguments arguments = { .rcx = enclave, .rdx = virt_to_phys(list) };
		int result;
		u32 i, count;

		result = seh_call(NSGX_SEH_RECLAIM, &arguments);
		if (result && result != -EAGAIN)
			return result;
		count = min_t(u64, arguments.rcx, NSGX_SEH_LIST_PAGES);
		for (i = 0; i < count; i++)
			take_back(lending, list->pages[i] >> PAGE_SHIFT);
		if (!result && !count)
			return 0;
		seh_breathe();
	}
}
