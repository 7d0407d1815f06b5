// SPDX-License-Identifier: Apache-2.0
#include "base/core/mem.h"

#include "base/core/mem_raw.h"

extern "C" {

void* memcpy(void* __restrict target, const void* __restrict source, size_t size) {
  return nsgx::MemCopy(target, source, size);
}

void* memmove(void* target, const void* source, size_t size) {
  return nsgx::MemMove(target, source, size);
}

void* memset(void* target, int value, size_t size) { return nsgx::MemSet(target, value, size); }

int memcmp(const void* a, const void* b, size_t size) { return nsgx::MemCompare(a, b, size); }

size_t strlen(const char* text) { return nsgx::MemTextSize(text); }

}  // extern "C"
