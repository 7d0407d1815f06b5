// SPDX-License-Identifier: Apache-2.0
// Memory of the library OS in a test: counted, poisoned when it is given back, and out when the
// test says so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsgx::libos::testing {

struct HeapUse {
  size_t objects;
  size_t pages;
};
HeapUse heap_use();

// From now on, `count` allocations of objects or of page runs succeed, then none.
void FailAllocationsAfter(uint64_t count);
void StopFailingAllocations();

// No more than this many pages can be had in all.
void LimitPages(size_t count);
void UnlimitPages();

}  // namespace nsgx::libos::testing
