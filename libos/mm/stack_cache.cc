// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/stack_cache.h"

#include <cstring>

#include "libos/mm/address_space.h"

namespace nsgx::libos {

Result<StackCache::Stack, Errno> StackCache::Take(uint64_t size) {
  Stack found = {.base = 0, .size = 0, .guard = 0};
  uint64_t top = 0;
  {
    SpinLockGuard guard(lock_);
    top = cleared_top_;
    for (uint32_t i = count_; i-- != 0;) {
      if (kept_[i].size == size) {
        found = kept_[i];
        kept_[i] = kept_[--count_];
        bytes_ -= size;
        break;
      }
    }
  }
  if (found.base != 0) {
    const uint64_t usable = size - found.guard;
    const uint64_t cleared = top == 0 || top > usable ? usable : top;
    memset(reinterpret_cast<void*>(found.base + size - cleared), 0, cleared);
    return found;
  }
  MapRequest request;
  request.size = size;
  request.rights = gate::Rights::kNone;
  return Stack{.base = TRY(Memory().Map(request)), .size = size, .guard = size};
}

Result<void, Errno> StackCache::SetGuard(Stack& stack, uint64_t guard) {
  if (guard < stack.guard) {
    TRY(Memory().Protect(stack.base + guard, stack.guard - guard, gate::Rights::kReadWrite));
  } else if (guard > stack.guard) {
    TRY(Memory().Protect(stack.base + stack.guard, guard - stack.guard, gate::Rights::kNone));
  }
  stack.guard = guard;
  Remember(stack);
  return {};
}

void StackCache::Remember(const Stack& stack) {
  SpinLockGuard lock(lock_);
  remembered_[SlotOf(stack.base)] = stack;
}

Result<uint64_t, Errno> StackCache::GuardOf(uint64_t base, uint64_t size) {
  {
    SpinLockGuard lock(lock_);
    const Stack& remembered = remembered_[SlotOf(base)];
    if (remembered.base == base && remembered.size == size) {
      return remembered.guard;
    }
  }
  AddressSpace::Mapping lowest;
  if (!Memory().NextMapping(base, &lowest) || lowest.begin > base) {
    return Error(Errno::kEINVAL);
  }
  return lowest.rights == gate::Rights::kNone ? lowest.end - base : 0;
}

Result<void, Errno> StackCache::Give(uint64_t base, uint64_t size) {
  const uint64_t guard = TRY(GuardOf(base, size));
  {
    SpinLockGuard lock(lock_);
    if (guard < size && count_ < kMaxKept && bytes_ + size <= kMaxKeptBytes) {
      kept_[count_++] = {.base = base, .size = size, .guard = guard};
      bytes_ += size;
      return {};
    }
    remembered_[SlotOf(base)] = {};
  }
  return Memory().Unmap(base, size);
}

void StackCache::NoticeTop(const Stack& stack, uint64_t top) {
  if (top - stack.base >= stack.size) {
    return;  // the program brought a stack of its own
  }
  const uint64_t above = stack.base + stack.size - top;
  SpinLockGuard guard(lock_);
  cleared_top_ = cleared_top_ < above ? above : cleared_top_;
}

namespace {
constinit StackCache stack_cache;
}  // namespace

StackCache& ThreadStacks() { return stack_cache; }

}  // namespace nsgx::libos
