// SPDX-License-Identifier: GPL-2.0-only
/*
 * One limit for all enclaves. What a group of processes may take is limited by its memory cgroup
 * besides: every page is allocated with GFP_KERNEL_ACCOUNT.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>

#include "accounts.h"

static unsigned long max_pages;
module_param(max_pages, ulong, 0644);
MODULE_PARM_DESC(max_pages, "Most pages that all enclaves together may take from Linux; 0 (the "
			    "default): half of the memory");

static atomic_long_t charged;
static atomic_long_t lost;

unsigned long accounts_limit(void)
{
	unsigned long limit = READ_ONCE(max_pages);

	return limit ? limit : totalram_pages() / 2;
}

bool accounts_charge(unsigned long pages)
{
	unsigned long limit = accounts_limit();
	unsigned long used = atomic_long_read(&charged);

	do {
		if (used > limit || pages > limit - used)
			return false;
	} while (!atomic_long_try_cmpxchg(&charged, &used, used + pages));
	return true;
}

void accounts_release(unsigned long pages)
{
	atomic_long_sub(pages, &charged);
}

void accounts_lose(unsigned long pages)
{
	atomic_long_add(pages, &lost);
}

unsigned long accounts_charged(void)
{
	return atomic_long_read(&charged);
}

unsigned long accounts_lost(void)
{
	return atomic_long_read(&lost);
}
