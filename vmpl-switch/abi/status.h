/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Status codes that cross a boundary of the SEH. Never renumbered; docs/abi.md says what each means. C11-clean.
 * The C++ twin is nsgx::Status in base/core/status.h; vmpl-switch/seh asserts that the numbers agree. */
#pragma once

enum {
  NSGX_OK = 0,
  NSGX_INVALID_ARGUMENT = 1,  /* an argument has no meaning: null, unaligned, unknown flag or call number */
  NSGX_BAD_STATE = 2,         /* the call is not allowed now, e.g. adding a page after init */
  NSGX_NO_MEMORY = 3,         /* the machine or a pool has nothing left; nothing has changed */
  NSGX_NOT_FOUND = 4,         /* no such enclave, slot, key or section */
  NSGX_PERMISSION_DENIED = 5, /* policy forbids it, e.g. a host call outside the allow-list */
  NSGX_ALREADY_EXISTS = 6,    /* the page, slot or enclave is there already */
  NSGX_BUSY = 7,              /* in use by somebody else now; a later try may pass */
  NSGX_OUT_OF_RANGE = 8,      /* an address or size leaves its space */
  NSGX_UNSUPPORTED = 9,       /* this machine or version cannot do it */
  NSGX_BAD_SIGNATURE = 10,    /* the signature is not one over this identity by this key */
  NSGX_BAD_MEASUREMENT = 11,  /* contents do not have the measured hash */
  NSGX_MALFORMED = 12,        /* a structure breaks its format */
  NSGX_ENTROPY_FAILURE = 13,  /* the random source failed its health check */
  NSGX_HOST_FAULT = 14,       /* the untrusted side answered something it may not answer */
  NSGX_INTERNAL = 15,         /* our own bug */
  NSGX_BAD_TAG = 16,          /* a MAC does not match: made for somebody else, on another machine, or changed */
  NSGX_TIMED_OUT = 17,        /* the deadline passed first */
  NSGX_INTERRUPTED = 18,      /* stopped early; may be issued again */
  NSGX_CANCELLED = 19,        /* what was waited for went away */
};
