// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of an enclave, from the side of the kernel that may not look into it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "enclave.h"
#include "seh_call.h"
#include "slot.h"

/* What a call that lacks memory is given at first and at most: numbers that make whole chunks. */
#define FIRST_MEAL 63ul
#define LARGEST_MEAL 8191ul
/* How long slots may take to leave an enclave that is destroyed. */
#define LEAVE_TIMEOUT (5 * HZ)

static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all);
static bool all_going_down;

struct enclave *enclave_open(void)
{
	struct enclave *enclave = kzalloc(sizeof(*enclave), GFP_KERNEL_ACCOUNT);
	int result;

	if (!enclave)
		return ERR_PTR(-ENOMEM);
	mutex_init(&enclave->control);
	init_rwsem(&enclave->lifetime);
	result = lending_start(&enclave->lending);
	if (result) {
		kfree(enclave);
		return ERR_PTR(result);
	}
	mutex_lock(&all_lock);
	enclave->going_down = all_going_down;
	list_add(&enclave->node, &all);
	mutex_unlock(&all_lock);
	return enclave;
}

/* ---- memory ---- */

int enclave_feed(struct enclave *enclave, unsigned long *meal)
{
	if (*meal >= LARGEST_MEAL)
		return NSGX_NO_MEMORY;
	*meal = *meal ? *meal * 2 + 1 : FIRST_MEAL;
	return lending_donate(&enclave->lending, enclave->number, *meal);
}

int enclave_call(struct enclave *enclave, u32 call, u64 rdx, u64 r8, u64 r9)
{
	unsigned long meal = 0;

	for (;;) {
		struct seh_arguments arguments = {
			.rcx = enclave->number,
			.rdx = rdx,
			.r8 = r8,
			.r9 = r9,
		};
		int result = seh_call(call, &arguments);

		if (result == NSGX_NO_MEMORY)
			result = enclave_feed(enclave, &meal);
		else if (result != -EAGAIN)
			return result;
		if (result && result != -EAGAIN)
			return result;
		if (fatal_signal_pending(current))
			return -EINTR;
		seh_breathe();
	}
}

/* ---- the end ---- */

int enclave_check(const struct enclave *enclave)
{
	if (enclave->state == ENCLAVE_LOADING || enclave->state == ENCLAVE_RUNNING)
		return 0;
	return enclave->going_down ? -ESHUTDOWN : -EBADFD;
}

/* Ends the enclave and takes its memory back. Requires: control, lifetime for writing. */
static int end_locked(struct enclave *enclave)
{
	unsigned long deadline = jiffies + LEAVE_TIMEOUT;
	int result;

	if (enclave->state != ENCLAVE_LOADING && enclave->state != ENCLAVE_RUNNING)
		return 0;
	/* Nobody of ours is inside: busy is then only what the SEH itself has not finished. */
	do {
		result = seh_call_to_end(NSGX_SEH_DESTROY, enclave->number, 0, 0);
		if (result != NSGX_BUSY)
			break;
		usleep_range(1000, 2000);
	} while (time_before(jiffies, deadline));
	if (!result)
		result = lending_reclaim(&enclave->lending, enclave->number);
	enclave->state = result ? ENCLAVE_LOST : ENCLAVE_GONE;
	if (result)
		pr_err("enclave %u can't be destroyed (error %d)\n", enclave->number, result);
	return result;
}

int enclave_end(struct enclave *enclave)
{
	int result;

	/* Who is inside holds lifetime until his turn ends: have it end now. */
	slots_kick(enclave);
	down_write(&enclave->lifetime);
	result = end_locked(enclave);
	up_write(&enclave->lifetime);
	return result;
}

void enclave_close(struct enclave *enclave)
{
	mutex_lock(&enclave->control);
	enclave_end(enclave);
	mutex_unlock(&enclave->control);

	/* Only now: a machine that goes down waits for who is still in the list. */
	mutex_lock(&all_lock);
	list_del(&enclave->node);
	mutex_unlock(&all_lock);

	slots_free(enclave->slots, enclave->slot_count);
	if (enclave->state == ENCLAVE_LOST)
		window_lose(&enclave->window);
	else
		window_free(&enclave->window);
	lending_end(&enclave->lending);
	kfree(enclave);
}

long enclave_destroy(struct enclave *enclave)
{
	long result;

	mutex_lock(&enclave->control);
	result = enclave_check(enclave);
	if (!result)
		result = enclave_end(enclave);
	mutex_unlock(&enclave->control);
	return result;
}

void enclave_shutdown_all(void)
{
	struct enclave *enclave;

	mutex_lock(&all_lock);
	all_going_down = true;
	list_for_each_entry(enclave, &all, node) {
		mutex_lock(&enclave->control);
		WRITE_ONCE(enclave->going_down, true);
		enclave_end(enclave);
		mutex_unlock(&enclave->control);
	}
	mutex_unlock(&all_lock);
}

/* ---- looking at it ---- */

long enclave_info(struct enclave *enclave, struct nsgx_device_buffer *buffer)
{
	struct nsgx_seh_info *info;
	u64 room = buffer->size;
	long result;

	BUILD_BUG_ON(sizeof(*info) > PAGE_SIZE);
	info = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!info)
		return -ENOMEM;
	mutex_lock(&enclave->control);
	result = enclave_check(enclave);
	if (!result)
		result = enclave_call(enclave, NSGX_SEH_INFO, virt_to_phys(info), 0, 0);
	mutex_unlock(&enclave->control);
	if (!result) {
		buffer->size = sizeof(*info);
		if (copy_to_user(u64_to_user_ptr(buffer->address), info,
				 min_t(u64, room, sizeof(*info))))
			result = -EFAULT;
	}
	free_page((unsigned long)info);
	return result;
}

long enclave_debug(struct enclave *enclave, const struct nsgx_device_debug *debug)
{
	bool is_write = debug->flags & NSGX_DEBUG_WRITE;
	void *page;
	long result = 0;

	if (debug->flags & ~NSGX_DEBUG_WRITE || debug->size > PAGE_SIZE)
		return -EINVAL;
	page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	if (is_write && copy_from_user(page, u64_to_user_ptr(debug->buffer), debug->size))
		result = -EFAULT;
	if (!result) {
		mutex_lock(&enclave->control);
		result = enclave_check(enclave);
		if (!result)
			result = enclave_call(enclave,
					      is_write ? NSGX_SEH_DEBUG_WRITE : NSGX_SEH_DEBUG_READ,
					      debug->address, virt_to_phys(page), debug->size);
		mutex_unlock(&enclave->control);
	}
	if (!result && !is_write && copy_to_user(u64_to_user_ptr(debug->buffer), page, debug->size))
		result = -EFAULT;
	free_page((unsigned long)page);
	return result;
}
