/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The integer types that the headers here need, also inside Linux. C11-clean. */
#pragma once

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif
