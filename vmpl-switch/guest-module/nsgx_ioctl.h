/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * /dev/nsgx: enclaves of the SEH for programs of this Linux. One open file is one enclave, or none
 * yet; it belongs to whoever holds the descriptor, and goes with the last one (and the last
 * mapping). docs/guest-module.md tells the whole story.
 *
 * Each ioctl returns
 *
 *	0	done
 *	> 0	NSGX_<status> (vmpl-switch/abi/status.h): the SEH refused
 *	-1	errno, the module refused, or could not reach the SEH:
 *		EINVAL	 an argument that can never be right, reserved bits
 *		EFAULT	 memory of the caller
 *		EBADFD	 not at this time: nothing created, or too late
 *		EBUSY	 the slot is entered by another thread, or the SEH did not get to it in time
 *		EINTR	 a signal; the same ioctl again goes on where it was
 *		ENOMEM	 no memory in Linux, or more than module parameter max_pages
 *		ESHUTDOWN  the system is going down, and has destroyed the enclave
 *		EIO, EPROTO  no answer from VMPL0, or not a legal one
 *
 * Integers are little-endian; reserved fields and unknown flags must be 0. All structs are the same
 * for 32-bit programs.
 */
#ifndef _NSGX_IOCTL_H
#define _NSGX_IOCTL_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#include <linux/types.h>
#else
#include <stdint.h>
#include <sys/ioctl.h>
#endif

#define NSGX_DEVICE_PATH "/dev/nsgx"
#define NSGX_DEVICE_VERSION 1u
#define NSGX_DEVICE_MAGIC 0xb9

/* What is there, and how much of it is in use. */
struct nsgx_device_query {
	uint32_t version; /* NSGX_DEVICE_VERSION */
	uint32_t seh_version; /* NSGX_SEH_VERSION of abi/seh_calls.h */
	uint64_t enclaves; /* in the SEH: of all programs */
	uint64_t max_enclaves;
	uint64_t enclave_pages; /* that the SEH holds for enclaves */
	uint64_t module_pages; /* that this module has taken from Linux: for enclaves, windows and
				  guards */
	uint64_t max_pages; /* of these; module parameter */
	uint64_t lost_pages; /* that the SEH did not give back; never free again */
};

/*
 * Creates the file's enclave and its window: vcpus * window_size bytes, to be mapped (MAP_SHARED,
 * not executable) from offset 0 on; slot n's part begins at n * window_size.
 */
struct nsgx_device_create {
	uint64_t config; /* pointer: the section .nsgx.config */
	uint64_t config_size; /* whole pages, at most 16 */
	uint64_t config_offset; /* in the image */
	uint64_t image_size;
	uint64_t entry; /* offset in the image */
	uint64_t window_size; /* bytes a slot: whole pages */
	uint32_t vcpus; /* slots, at most 256 */
	uint32_t reserved;
};

/* Adds pages of the image in ascending order. */
struct nsgx_device_add {
	uint64_t offset; /* in the image */
	uint64_t size; /* bytes, whole pages */
	uint64_t source; /* pointer; 0: zeros */
	uint32_t permissions; /* NSGX_PERMISSION_* of abi/image.h */
	uint32_t reserved;
	uint64_t done; /* out: bytes added, also when it failed */
};

/* Ends loading: measurement and signature are checked, slots can be entered. */
struct nsgx_device_init {
	uint64_t signature; /* pointer: struct nsgx_signature of abi/image.h */
	uint64_t args; /* pointer: struct nsgx_args of abi/boot.h, and strings */
	uint32_t signature_size; /* at most 4096 */
	uint32_t args_size; /* at most 1 MiB */
};

/*
 * Runs a slot on the calling thread until it leaves for a reason that is the loader's affair.
 * Interruptions, ticks and demands for memory are the module's. After EINTR the same call again: an
 * answer that was delivered already is not delivered twice.
 */
struct nsgx_device_enter {
	uint32_t slot;
	uint32_t reason; /* out: NSGX_SEH_EXIT_*, the first six */
	uint64_t answer; /* to the call that the slot left with */
	uint64_t number; /* out */
	uint64_t arguments[4]; /* out */
};

/* Has a slot's thread take a preemption tick every so often. */
struct nsgx_device_tick {
	uint32_t slot;
	uint32_t microseconds; /* 0: none; else 100 at least */
};

/* Room for an answer. */
struct nsgx_device_buffer {
	uint64_t address; /* pointer */
	uint64_t
		size; /* in: of the room; out: of the answer, of which no more than fits is there */
};

/* Memory of an enclave whose configuration allows debugging. */
struct nsgx_device_debug {
	uint64_t address; /* in the enclave */
	uint64_t buffer; /* pointer */
	uint32_t size; /* at most 4096 */
	uint32_t flags; /* NSGX_DEBUG_* */
};

#define NSGX_DEBUG_WRITE 1u

#define NSGX_DEVICE_QUERY _IOR(NSGX_DEVICE_MAGIC, 0, struct nsgx_device_query)
#define NSGX_DEVICE_CREATE _IOW(NSGX_DEVICE_MAGIC, 1, struct nsgx_device_create)
#define NSGX_DEVICE_ADD _IOWR(NSGX_DEVICE_MAGIC, 2, struct nsgx_device_add)
#define NSGX_DEVICE_INIT _IOW(NSGX_DEVICE_MAGIC, 3, struct nsgx_device_init)
#define NSGX_DEVICE_ENTER _IOWR(NSGX_DEVICE_MAGIC, 4, struct nsgx_device_enter)
#define NSGX_DEVICE_SET_TICK _IOW(NSGX_DEVICE_MAGIC, 5, struct nsgx_device_tick)
/* struct nsgx_seh_info of abi/seh_calls.h */
#define NSGX_DEVICE_INFO _IOWR(NSGX_DEVICE_MAGIC, 6, struct nsgx_device_buffer)
/* What goes with evidence: as in evidence.bin behind the core. Needs no enclave. */
#define NSGX_DEVICE_CERTIFICATES _IOWR(NSGX_DEVICE_MAGIC, 7, struct nsgx_device_buffer)
/* Scrubs the enclave and takes its memory back; the file is of no more use. Closing does the same.
 */
#define NSGX_DEVICE_DESTROY _IO(NSGX_DEVICE_MAGIC, 8)
#define NSGX_DEVICE_DEBUG _IOW(NSGX_DEVICE_MAGIC, 9, struct nsgx_device_debug)

#endif
