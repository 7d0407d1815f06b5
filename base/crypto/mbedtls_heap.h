// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace nsgx {

// The memory in which mbedTLS does public-key operations.
//
// In the SEH it is an arena of fixed size, always. A program with a libc gives it the heap, unless
// it asks for the arena too: tests do, and `sim`, where the SEH runs inside a process whose heap it
// must not need.

// Enough for one ECDSA P-384 operation at a time on each of a few processors. One that finds it
// full ends with kNoMemory.
inline constexpr size_t kMbedtlsHeapSize = size_t{32} * 1024;

// Makes mbedTLS take its memory from the arena from now on, in the whole program. Nothing to do in
// the SEH.
//
// Requires: mbedTLS holds no memory yet; no other thread is in it.
void UseMbedtlsArena();

// Return how much of the arena is in use, and the most that ever was.
size_t MbedtlsArenaUsed();
size_t MbedtlsArenaPeak();

}  // namespace nsgx

// The arena under the names by which the SEH's configuration of mbedTLS calls it.
extern "C" {

void* nsgx_mbedtls_calloc(size_t count, size_t size);
void nsgx_mbedtls_free(void* memory);

}  // extern "C"
