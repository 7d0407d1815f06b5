// SPDX-License-Identifier: GPL-2.0-only
/*
 * From nothing to an enclave whose slots can be entered.
 */
#include <linux/align.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "bounce.h"
#include "enclave.h"
#include "seh_call.h"
#include "slot.h"

#define MAX_SLOTS 256u
#define MAX_ARGS_SIZE (1u << 20)
/* Pages of the caller that are copied for one call. */
#define BOUNCE_PAGES 128u
/* What the SEH makes for each slot, and for the enclave as such; a guess that saves calls, the SEH
 * asks for what is missing. */
#define PAGES_A_SLOT 16u
#define PAGES_OF_TABLES 64u

static int check_create(const struct nsgx_device_create *create)
{
	u64 window;

	if (!create->config_size || !PAGE_ALIGNED(create->config_size) ||
	    create->config_size > ARRAY_SIZE(((struct nsgx_seh_create *)0)->config) * PAGE_SIZE)
		return -EINVAL;
	if (!create->vcpus || create->vcpus > MAX_SLOTS || create->reserved)
		return -EINVAL;
	if (!PAGE_ALIGNED(create->window_size) || !PAGE_ALIGNED(create->image_size))
		return -EINVAL;
	if (check_mul_overflow(create->window_size, (u64)create->vcpus, &window) ||
	    window > UINT_MAX)
		return -EINVAL;
	return 0;
}

/* Asks the SEH for an enclave. The pages of the configuration are copied by it now. */
static int create_in_seh(struct enclave *enclave, const struct nsgx_device_create *create)
{
	u32 pages = create->config_size / PAGE_SIZE;
	struct bounce *bounce = bounce_allocate(pages + 1);
	struct nsgx_seh_create *request;
	struct seh_arguments arguments;
	int result;
	u32 i;

	if (!bounce)
		return -ENOMEM;
	result = bounce_fill(bounce, 0, u64_to_user_ptr(create->config), create->config_size);
	if (result)
		goto out;
	request = bounce->pages[pages];
	request->config_offset = create->config_offset;
	request->image_size = create->image_size;
	request->entry = create->entry;
	request->vcpus = create->vcpus;
	request->config_size = create->config_size;
	request->window_size = create->window_size;
	for (i = 0; i < pages; i++)
		request->config[i] = virt_to_phys(bounce->pages[i]);
	do {
		arguments = (struct seh_arguments){ .rcx = virt_to_phys(request) };
		result = seh_call(NSGX_SEH_CREATE, &arguments);
		seh_breathe();
	} while (result == -EAGAIN);
	if (result)
		goto out;
	if (!arguments.rcx || arguments.rcx > U32_MAX) {
		result = -EPROTO;
		goto out;
	}
	down_write(&enclave->lifetime);
	enclave->number = arguments.rcx;
	enclave->state = ENCLAVE_LOADING;
	up_write(&enclave->lifetime);
out:
	bounce_free(bounce);
	return result;
}

static int create_locked(struct enclave *enclave, const struct nsgx_device_create *create)
{
	u64 pages = create->image_size / PAGE_SIZE + create->config_size / PAGE_SIZE +
		    create->vcpus * PAGES_A_SLOT + PAGES_OF_TABLES;
	struct slot *slots;
	int result;

	if (enclave->going_down)
		return -ESHUTDOWN;
	if (enclave->state != ENCLAVE_NONE)
		return -EBADFD;
	slots = slots_allocate(create->vcpus);
	if (!slots)
		return -ENOMEM;
	result = window_allocate(&enclave->window, create->window_size * create->vcpus / PAGE_SIZE);
	if (result)
		goto no_window;
	result = create_in_seh(enclave, create);
	if (result)
		goto not_created;
	result = lending_donate(&enclave->lending, enclave->number, pages);
	if (!result)
		result = window_share(&enclave->window, enclave->number, enclave->lending.list);
	if (result)
		goto not_ready;

	/* Neither mmap nor ENTER takes a lock to find these: they see all or nothing. */
	enclave->slots = slots;
	smp_store_release(&enclave->slot_count, create->vcpus);
	window_publish(&enclave->window);
	return 0;

not_ready:
	/* Too late to be as if nothing had happened: the file is of no more use. */
	enclave_end(enclave);
	slots_free(slots, create->vcpus);
	return result;

not_created:
	window_free(&enclave->window);
no_window:
	slots_free(slots, create->vcpus);
	return result;
}

long enclave_create(struct enclave *enclave, const struct nsgx_device_create *create)
{
	long result = check_create(create);

	if (result)
		return result;
	mutex_lock(&enclave->control);
	result = create_locked(enclave, create);
	mutex_unlock(&enclave->control);
	return result;
}

/*
 * Goes on with @call until @count pages are done, and feeds the SEH on the way. The pages are those
 * of @bounce from its first one on, or zeros when there is none. Returns how many are done in
 * @done.
 */
static int add_run(struct enclave *enclave, u64 offset, u32 permissions, struct bounce *bounce,
		   u64 count, u64 *done)
{
	unsigned long meal = 0;
	int result;

	*done = 0;
	while (*done < count) {
		u64 left = count - *done;
		struct seh_arguments arguments = {
			.rcx = enclave->number,
			.rdx = offset + *done * PAGE_SIZE,
			.r8 = permissions,
			.r9 = left,
		};
		u32 now;

		if (bounce) {
			bounce_list(bounce, *done, left);
			arguments.r9 = virt_to_phys(bounce->list);
		}
		result =
			seh_call(bounce ? NSGX_SEH_ADD_PAGES : NSGX_SEH_ADD_ZERO_PAGES, &arguments);
		now = seh_pages_done(result, &arguments, min_t(u64, left, U32_MAX));
		*done += now;
		if (now)
			meal = 0;
		if (result == NSGX_NO_MEMORY)
			result = enclave_feed(enclave, &meal);
		else if (!result && !now)
			result = -EPROTO;
		if (result && result != -EAGAIN)
			return result;
		if (fatal_signal_pending(current))
			return -EINTR;
		seh_breathe();
	}
	return 0;
}

static int add_locked(struct enclave *enclave, struct nsgx_device_add *add)
{
	u64 total = add->size / PAGE_SIZE;
	const u8 __user *source = u64_to_user_ptr(add->source);
	struct bounce *bounce;
	u64 pages_done = 0;
	int result = 0;

	if (enclave->state != ENCLAVE_LOADING)
		return enclave->going_down ? -ESHUTDOWN : -EBADFD;
	if (!add->source) {
		result = add_run(enclave, add->offset, add->permissions, NULL, total, &pages_done);
		add->done = pages_done * PAGE_SIZE;
		return result;
	}
	bounce = bounce_allocate(min_t(u64, total, BOUNCE_PAGES));
	if (!bounce)
		return -ENOMEM;
	while (add->done < add->size) {
		u64 size = min_t(u64, add->size - add->done, BOUNCE_PAGES * PAGE_SIZE);

		result = bounce_fill(bounce, 0, source + add->done, size);
		if (result)
			break;
		result = add_run(enclave, add->offset + add->done, add->permissions, bounce,
				 size / PAGE_SIZE, &pages_done);
		add->done += pages_done * PAGE_SIZE;
		if (result)
			break;
	}
	bounce_free(bounce);
	return result;
}

long enclave_add(struct enclave *enclave, struct nsgx_device_add *add)
{
	long result;
	u64 end;

	add->done = 0;
	if (add->reserved || !PAGE_ALIGNED(add->offset) || !PAGE_ALIGNED(add->size) ||
	    check_add_overflow(add->offset, add->size, &end))
		return -EINVAL;
	mutex_lock(&enclave->control);
	result = add_locked(enclave, add);
	mutex_unlock(&enclave->control);
	return result;
}

long enclave_init(struct enclave *enclave, const struct nsgx_device_init *init)
{
	u64 size = (u64)init->signature_size + init->args_size;
	struct bounce *bounce;
	long result;

	if (!init->signature_size || init->signature_size > PAGE_SIZE ||
	    init->args_size > MAX_ARGS_SIZE)
		return -EINVAL;
	bounce = bounce_allocate(DIV_ROUND_UP(size, PAGE_SIZE));
	if (!bounce)
		return -ENOMEM;
	result = bounce_fill(bounce, 0, u64_to_user_ptr(init->signature), init->signature_size);
	if (!result)
		result = bounce_fill(bounce, init->signature_size, u64_to_user_ptr(init->args),
				     init->args_size);
	if (result)
		goto out;
	bounce_list(bounce, 0, bounce->count);

	mutex_lock(&enclave->control);
	if (enclave->state != ENCLAVE_LOADING)
		result = enclave->going_down ? -ESHUTDOWN : -EBADFD;
	else
		result = enclave_call(enclave, NSGX_SEH_INIT, virt_to_phys(bounce->list),
				      init->args_size, 0);
	if (!result) {
		down_write(&enclave->lifetime);
		enclave->state = ENCLAVE_RUNNING;
		up_write(&enclave->lifetime);
	}
	mutex_unlock(&enclave->control);
out:
	bounce_free(bounce);
	return result;
}
