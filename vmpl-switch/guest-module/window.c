// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ordinary pages of Linux, mapped by the loader, read and written by the enclave at any time. They
 * stay Linux's; the SEH only refuses to take them for something else until the enclave is
 * destroyed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "accounts.h"
#include "seh_call.h"
#include "window.h"

static void free_pages_of(struct page **pages, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		__free_page(pages[i]);
	accounts_release(count);
	kvfree(pages);
}

int window_allocate(struct window *window, unsigned long count)
{
	struct page **pages;
	unsigned long i;

	if (!count)
		return 0;
	pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		if (!accounts_charge(1))
			break;
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!pages[i]) {
			accounts_release(1);
			break;
		}
	}
	if (i < count) {
		free_pages_of(pages, i);
		return -ENOMEM;
	}
	window->pages = pages;
	window->count = count;
	return 0;
}

void window_publish(struct window *window)
{
	smp_store_release(&window->mappable, window->count);
}

void window_free(struct window *window)
{
	if (window->count)
		free_pages_of(window->pages, window->count);
	window->count = 0;
}

void window_lose(struct window *window)
{
	if (!window->count)
		return;
	pr_err("%lu window pages stay with the SEH; they are lost until the machine starts anew\n",
	       window->count);
	accounts_lose(window->count);
	kvfree(window->pages);
	window->count = 0;
}

int window_share(struct window *window, u32 enclave, struct nsgx_seh_list *list)
{
	unsigned long first = 0;

	while (first < window->count) {
		struct seh_arguments arguments = {
			.rcx = enclave,
			.rdx = virt_to_phys(list),
			.r8 = first,
		};
		u32 i, done;
		int result;

		list->count = min_t(unsigned long, window->count - first, NSGX_SEH_LIST_PAGES);
		list->reserved = 0;
		for (i = 0; i < list->count; i++)
			list->pages[i] = page_to_phys(window->pages[first + i]);
		result = seh_call(NSGX_SEH_ADD_WINDOW, &arguments);
		done = seh_pages_done(result, &arguments, list->count);
		first += done;
		if (result && result != -EAGAIN)
			return result;
		if (!result && !done)
			return -EPROTO;
		seh_breathe();
	}
	return 0;
}

int window_map(struct window *window, struct vm_area_struct *vma)
{
	unsigned long count = smp_load_acquire(&window->mappable);
	unsigned long wanted = vma_pages(vma);

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (vma->vm_pgoff > count || wanted > count - vma->vm_pgoff)
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND, VM_MAYEXEC);
	return vm_insert_pages(vma, vma->vm_start, window->pages + vma->vm_pgoff, &wanted);
}
