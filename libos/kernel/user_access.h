// SPDX-License-Identifier: Apache-2.0
// The instructions that touch memory named by the program. A fault at one of them, of which the
// address space can make nothing, goes on at libos_user_access_failed instead.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsgx::libos {

// Addresses that a program may name: the enclave's range. Set once at boot.
void SetUserRange(uint64_t base, uint64_t size);

extern "C" {

// All return -1 (as uint64_t) when a byte cannot be accessed. Require: the range is the enclave's.
uint64_t libos_user_copy(void* to, const void* from, size_t size);
uint64_t libos_user_zero(void* to, size_t size);
uint64_t libos_user_load32(const void* from);
uint64_t libos_user_compare_exchange32(void* at, uint32_t expected, uint32_t wanted);

// The code above lies in [begin, end) and keeps nothing on the stack.
extern const char libos_user_access_begin[];
extern const char libos_user_access_end[];
extern const char libos_user_access_failed[];

}  // extern "C"

}  // namespace nsgx::libos
