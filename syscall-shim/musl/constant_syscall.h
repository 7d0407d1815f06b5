/* SPDX-License-Identifier: Apache-2.0 */
/* For files of the C++ runtime that call syscall() with a constant number: included before
 * everything else, it makes of such a call one that keeps its own handler in an enclave, and not
 * those of all system calls, as the C library's syscall() has to. See overlay/arch/x86_64/
 * syscall_arch.h. */
#pragma once

#include <errno.h>
#include <unistd.h>

#include "syscall-shim/musl/below.h"

template <typename... Arguments>
[[gnu::always_inline]] inline long nsgx_constant_syscall(long number, Arguments... arguments) {
  asm volatile(
      ".weak nsgx_syscall_%c0\n\t"
      ".hidden nsgx_syscall_%c0\n\t"
      ".reloc ., R_X86_64_NONE, nsgx_syscall_%c0"
      :
      : "i"(number));
  long words[6] = {(long)(arguments)...};
  const long result =
      libos_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

#define syscall nsgx_constant_syscall
