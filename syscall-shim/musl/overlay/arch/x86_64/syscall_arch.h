/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before musl's file of this name: a system call is a call of libos_syscall (see below.h).
 * No VDSO_* macro is defined, so that clock_gettime and getcpu come this way too. */
#pragma once

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)
#define IPC_64 0

__attribute__((__visibility__("hidden"))) long libos_syscall(long, long, long, long, long, long,
                                                             long);

static inline long __syscall6(long n, long a1, long a2, long a3, long a4, long a5, long a6) {
  return libos_syscall(n, a1, a2, a3, a4, a5, a6);
}
static inline long __syscall5(long n, long a1, long a2, long a3, long a4, long a5) {
  return __syscall6(n, a1, a2, a3, a4, a5, 0);
}
static inline long __syscall4(long n, long a1, long a2, long a3, long a4) {
  return __syscall6(n, a1, a2, a3, a4, 0, 0);
}
static inline long __syscall3(long n, long a1, long a2, long a3) {
  return __syscall6(n, a1, a2, a3, 0, 0, 0);
}
static inline long __syscall2(long n, long a1, long a2) {
  return __syscall6(n, a1, a2, 0, 0, 0, 0);
}
static inline long __syscall1(long n, long a1) { return __syscall6(n, a1, 0, 0, 0, 0, 0); }
static inline long __syscall0(long n) { return __syscall6(n, 0, 0, 0, 0, 0, 0); }
