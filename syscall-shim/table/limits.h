/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of the system-call table that assembly needs. C11-clean. */
#pragma once

#define SYSCALL_COUNT 463 /* numbers 0 to 462: everything up to mseal */
#define SYSCALL_EXIT 60
