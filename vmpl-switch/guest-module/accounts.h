/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of Linux's memory this module holds. */
#ifndef _NSGX_ACCOUNTS_H
#define _NSGX_ACCOUNTS_H

#include <linux/types.h>

/* Takes @pages from what max_pages leaves; false: it does not leave that many. */
bool accounts_charge(unsigned long pages);
void accounts_release(unsigned long pages);
/* Notes pages that will never come back; they stay charged. */
void accounts_lose(unsigned long pages);

unsigned long accounts_charged(void);
unsigned long accounts_lost(void);
unsigned long accounts_limit(void);

#endif
