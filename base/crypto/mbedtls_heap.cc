// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/mbedtls_heap.h"

#include <mbedtls/platform.h>

#include "base/crypto/arena.h"

namespace nsgx {
namespace {

alignas(16) constinit std::byte heap_memory[kMbedtlsHeapSize] = {};
constinit Arena heap{heap_memory};

}  // namespace

void UseMbedtlsArena() {
#ifndef MBEDTLS_PLATFORM_CALLOC_MACRO
  mbedtls_platform_set_calloc_free(nsgx_mbedtls_calloc, nsgx_mbedtls_free);
#endif
}

size_t MbedtlsArenaUsed() { return heap.used(); }
size_t MbedtlsArenaPeak() { return heap.peak(); }

}  // namespace nsgx

void* nsgx_mbedtls_calloc(size_t count, size_t size) { return nsgx::heap.Allocate(count, size); }

void nsgx_mbedtls_free(void* memory) { nsgx::heap.Free(memory); }
