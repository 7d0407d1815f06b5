/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before musl's file of this name: a system call is a call of libos_syscall (see below.h).
 * No VDSO_* macro is defined, so that clock_gettime and getcpu come this way too.
 *
 * Code that makes call n refers to nsgx_syscall_n, by a relocation that writes nothing. In an
 * enclave the linker keeps the library OS's handler of a call exactly when such code is kept; see
 * syscall-shim/entry/records.S. A native program defines no such symbols and the references are
 * weak. */
#pragma once

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)
#define IPC_64 0

__attribute__((__visibility__("hidden"))) long libos_syscall(long, long, long, long, long, long,
                                                             long);

#define __KEEP_SYSCALL(suffix)                                    \
  ".weak nsgx_syscall_" suffix "\n\t.hidden nsgx_syscall_" suffix \
  "\n\t.reloc ., R_X86_64_NONE, nsgx_syscall_" suffix

static inline __attribute__((__always_inline__)) void __keep_syscall(long n) {
  if (__builtin_constant_p(n)) {
    __asm__ volatile(__KEEP_SYSCALL("%c0") : : "i"(n));
    return;
  }
#if defined(NSGX_SYSCALL_IS_KEPT_BY_CALLER)
  /* The number is an argument of a function whose callers keep it. */
#elif defined(NSGX_SYSCALL_SETS_ID)
  /* setuid, setgid, setreuid, setregid, setresuid, setresgid; not by calls of this function, for
   * one that calls itself is not inlined, whatever it says */
  __asm__ volatile(__KEEP_SYSCALL("105"));
  __asm__ volatile(__KEEP_SYSCALL("106"));
  __asm__ volatile(__KEEP_SYSCALL("113"));
  __asm__ volatile(__KEEP_SYSCALL("114"));
  __asm__ volatile(__KEEP_SYSCALL("117"));
  __asm__ volatile(__KEEP_SYSCALL("119"));
#else
  __asm__ volatile(__KEEP_SYSCALL("all"));
#endif
}

static inline __attribute__((__always_inline__)) long __syscall6(long n, long a1, long a2, long a3,
                                                                 long a4, long a5, long a6) {
  __keep_syscall(n);
  return libos_syscall(n, a1, a2, a3, a4, a5, a6);
}
static inline __attribute__((__always_inline__)) long __syscall5(long n, long a1, long a2, long a3,
                                                                 long a4, long a5) {
  return __syscall6(n, a1, a2, a3, a4, a5, 0);
}
static inline __attribute__((__always_inline__)) long __syscall4(long n, long a1, long a2, long a3,
                                                                 long a4) {
  return __syscall6(n, a1, a2, a3, a4, 0, 0);
}
static inline __attribute__((__always_inline__)) long __syscall3(long n, long a1, long a2,
                                                                 long a3) {
  return __syscall6(n, a1, a2, a3, 0, 0, 0);
}
static inline __attribute__((__always_inline__)) long __syscall2(long n, long a1, long a2) {
  return __syscall6(n, a1, a2, 0, 0, 0, 0);
}
static inline __attribute__((__always_inline__)) long __syscall1(long n, long a1) {
  return __syscall6(n, a1, 0, 0, 0, 0, 0);
}
static inline __attribute__((__always_inline__)) long __syscall0(long n) {
  return __syscall6(n, 0, 0, 0, 0, 0, 0);
}

#ifndef NSGX_SYSCALL_IS_KEPT_BY_CALLER
/* Calls that are cancellation points go through musl's function of this name, to which the number
 * is an argument. This one is in its place wherever it is called; musl's declaration, which
 * follows, leaves it static. */
long __make_syscall_cp(long, long, long, long, long, long, long) __asm__("__syscall_cp")
    __attribute__((__visibility__("hidden")));
static long __syscall_cp(long, long, long, long, long, long,
                         long) __asm__("__keep_and_make_syscall_cp");
static inline __attribute__((__always_inline__)) long __syscall_cp(long n, long a1, long a2,
                                                                   long a3, long a4, long a5,
                                                                   long a6) {
  __keep_syscall(n);
  return __make_syscall_cp(n, a1, a2, a3, a4, a5, a6);
}
#endif
