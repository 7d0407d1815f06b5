// SPDX-License-Identifier: Apache-2.0
// Linux system calls as the machine makes them: no errno, and nobody between it and the kernel,
// whichever libc or sanitizer this process runs on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/result.h"

namespace nsgx::sim::kernel {

inline constexpr int kNoKey = -1;

// Negative results are -errno. The instruction lies in this program's own text, as the range form
// of Syscall User Dispatch wants it.
inline long Call(long number, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0,
                 uint64_t a4 = 0, uint64_t a5 = 0) {
  long result;
  register uint64_t r10 asm("r10") = a3;
  register uint64_t r8 asm("r8") = a4;
  register uint64_t r9 asm("r9") = a5;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

inline uint64_t Word(const volatile void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// Reserves address space that nobody can touch; backed by nothing. kNoMemory: the kernel does not
// give that much.
Result<std::byte*> Reserve(size_t size);
// The same in a place that is reserved already, whatever lies there: contents are gone afterwards.
Result<void> ReserveAt(std::byte* start, size_t size);
// Memory that can be read and written, zeroed; with `key` a protection key or kNoKey.
Result<std::byte*> Allocate(size_t size, int key);
void Unmap(std::byte* start, size_t size);

// `protection` is PROT_*; `key` a protection key or kNoKey. kNoMemory: too many mappings, or the
// system overcommits nothing.
Result<void> Protect(std::byte* start, size_t size, int protection, int key);

}  // namespace nsgx::sim::kernel
