/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before musl's file of this name and changes one thing: how the library gives up. `hlt`,
 * which musl uses, faults in user mode only; an enclave may run in ring 0, where it would wait for
 * an interrupt instead. */
#include_next <atomic_arch.h>

#undef a_crash
#define a_crash nsgx_a_crash
static inline void nsgx_a_crash(void) { __asm__ __volatile__("ud2" : : : "memory"); }
