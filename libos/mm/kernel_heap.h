// SPDX-License-Identifier: Apache-2.0
// Memory of the library OS itself: small objects and runs of pages. Apart from the program's
// malloc, so that neither can wait for the other. Grows from the top of the enclave's address range
// downward; nothing of it is visible to munmap.
//
// May be called with ticks off and with locks held, except from an exception that came out of this
// very code. Locks taken inside: last in every order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "base/core/result.h"
#include "libos/kernel/errno.h"

namespace nsgx::libos {

// `size` bytes, aligned to 16, or to 64 for sizes of 64 and more; not cleared. Null when memory is
// out.
[[nodiscard]] void* KernelAllocate(size_t size);
// Gives memory of KernelAllocate back; null is nothing.
void KernelFree(void* memory);

// `count` adjacent pages, page-aligned. Null when memory is out.
enum class PageContents { kZero, kAny };
[[nodiscard]] std::byte* KernelAllocatePages(size_t count, PageContents contents);
// Gives back pages of KernelAllocatePages. A run of up to 256 pages may be given back in parts, a
// longer one as a whole only.
void KernelFreePages(std::byte* pages, size_t count);

// An object of the library OS. ENOMEM.
template <typename T, typename... Arguments>
Result<T*, Errno> New(Arguments&&... arguments) {
  static_assert(alignof(T) <= 64);
  void* memory = KernelAllocate(sizeof(T) < alignof(T) ? alignof(T) : sizeof(T));
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  return ::new (memory) T(std::forward<Arguments>(arguments)...);
}

template <typename T>
void Delete(T* object) {
  if (object != nullptr) {
    object->~T();
    KernelFree(object);
  }
}

// How much there is, for sysinfo and statistics.
struct KernelHeapStats {
  uint64_t committed_bytes;
  uint64_t used_bytes;  // in pages that are handed out
};
KernelHeapStats GetKernelHeapStats();

}  // namespace nsgx::libos
