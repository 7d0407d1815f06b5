// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// The functions that compilers call without being asked, for worlds that have no <string.h> to
// declare them. They require and return what the C standard says.
extern "C" {

void* memcpy(void* __restrict target, const void* __restrict source, size_t size);
void* memmove(void* target, const void* source, size_t size);
void* memset(void* target, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);
size_t strlen(const char* text);

}  // extern "C"
