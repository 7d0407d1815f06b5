/* SPDX-License-Identifier: GPL-2.0-only */
/* The thread slots of an enclave: each is run by one thread of the loader. */
#ifndef _NSGX_SLOT_H
#define _NSGX_SLOT_H

#include <linux/types.h>

struct enclave;
struct slot;

/* Returns NULL when there is no memory. */
struct slot *slots_allocate(u32 count);
/* Nobody is in any of them. */
void slots_free(struct slot *slots, u32 count);
/* Has processors leave the enclave; they find out why. */
void slots_kick(struct enclave *enclave);

#endif
