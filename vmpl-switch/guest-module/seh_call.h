/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls to the SEH at VMPL0. */
#ifndef _NSGX_SEH_CALL_H
#define _NSGX_SEH_CALL_H

#include <linux/types.h>

#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/abi/status.h"

/* Arguments of a call; it leaves its results in them. */
struct seh_arguments {
	u64 rcx, rdx, r8, r9;
};

/*
 * Is there an SEH that speaks our version? Says in one line what is missing, and returns -ENODEV,
 * if there is none.
 */
int seh_probe(void);

/*
 * Makes one call, NSGX_SEH_*. Returns 0; NSGX_<status>; or
 *
 * -EAGAIN	SVSM_INCOMPLETE: Linux has had its interrupts; go on with what is left
 * -EBUSY	SVSM_BUSY until the time was over
 * -EIO		VMPL0 was not run: the host refuses, or is hostile
 * -EPROTO	an answer that the protocol does not have
 * -EINVAL, -EFAULT, -EOPNOTSUPP  the SVSM refused the call as such
 *
 * May sleep.
 */
int seh_call(u32 call, struct seh_arguments *arguments);

/* How many of @count pages a call that returned @result has done: it may stop at any one. */
u32 seh_pages_done(int result, const struct seh_arguments *arguments, u32 count);

/* The same for NSGX_SEH_ENTER; @exit is filled in when it returns 0. */
int seh_enter(struct seh_arguments *arguments, struct nsgx_seh_exit *exit);

/* For a call that is repeated unchanged until the SEH has got to its end: never returns -EAGAIN. */
int seh_call_to_end(u32 call, u64 rcx, u64 rdx, u64 r8);

/* Lets Linux live between two calls. */
void seh_breathe(void);

#endif
