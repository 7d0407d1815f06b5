/* SPDX-License-Identifier: GPL-2.0-only */
/* One open file of /dev/nsgx: its enclave, or none yet. */
#ifndef _NSGX_ENCLAVE_H
#define _NSGX_ENCLAVE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/types.h>

#include "lending.h"
#include "nsgx_ioctl.h"
#include "window.h"

struct slot;

enum enclave_state {
	ENCLAVE_NONE,
	ENCLAVE_LOADING,
	ENCLAVE_RUNNING, /* the SEH knows whether it still runs */
	ENCLAVE_GONE, /* destroyed; its window may still be mapped */
	ENCLAVE_LOST, /* the SEH has not destroyed it: what it has, it keeps */
};

/*
 * Lock order: control, lifetime. Neither is taken in mmap, so both may be held when memory of the
 * caller is touched.
 */
struct enclave {
	struct list_head node; /* among all open files */
	/* All calls but ENTER. */
	struct mutex control;
	/*
	 * Held for reading over one turn of a slot, for writing when the enclave's number comes or
	 * goes: a number that is free may be given to somebody else's enclave, which a slot must
	 * not enter.
	 */
	struct rw_semaphore lifetime;
	enum enclave_state state;
	bool going_down; /* the machine is: nothing is created any more */
	u32 number; /* the SEH's name for it */

	u32 slot_count;
	struct slot *slots;
	struct window window;
	struct lending lending;
};

/* Returns the enclave of a new file, or an error pointer. */
struct enclave *enclave_open(void);
/* No other call is running. */
void enclave_close(struct enclave *enclave);

/* The ioctls; see nsgx_ioctl.h for results. Structs are the kernel's copies. */
long enclave_create(struct enclave *enclave, const struct nsgx_device_create *create);
long enclave_add(struct enclave *enclave, struct nsgx_device_add *add);
long enclave_init(struct enclave *enclave, const struct nsgx_device_init *init);
long enclave_enter(struct enclave *enclave, struct nsgx_device_enter *enter);
long enclave_set_tick(struct enclave *enclave, const struct nsgx_device_tick *tick);
long enclave_info(struct enclave *enclave, struct nsgx_device_buffer *buffer);
long enclave_debug(struct enclave *enclave, const struct nsgx_device_debug *debug);
long enclave_destroy(struct enclave *enclave);

/* The machine goes down: destroys every enclave, so that no page of one is left for what comes
 * after. */
void enclave_shutdown_all(void);

/* 0 if the SEH has the enclave; else what to tell the caller. Requires: control. */
int enclave_check(const struct enclave *enclave);

/*
 * Ends the enclave, if there is one, and takes its memory back. Requires: control. Returns 0 or as
 * seh_call(), and then the enclave is lost.
 */
int enclave_end(struct enclave *enclave);

/*
 * Makes a call that names the enclave in rcx and counts no pages, and donates memory for as long as
 * the SEH asks for more. Requires: control.
 */
int enclave_call(struct enclave *enclave, u32 call, u64 rdx, u64 r8, u64 r9);

/*
 * Donates twice of what was not enough: @meal says how much that was, 0 at first. Returns 0 or a
 * result for the caller. Requires: control.
 */
int enclave_feed(struct enclave *enclave, unsigned long *meal);

#endif
