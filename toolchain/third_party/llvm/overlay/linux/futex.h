/* SPDX-License-Identifier: Apache-2.0 */
/* The one kernel header that libc++ asks for: five numbers of the Linux ABI. */
#pragma once

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
