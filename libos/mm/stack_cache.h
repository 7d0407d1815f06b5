// SPDX-License-Identifier: Apache-2.0
// Stacks of the program's threads, which the C library maps and unmaps through hooks of their own.
// A stack that is given up is kept, guard pages and all, so that most threads are made without
// touching the address space. What lies in a kept stack is garbage to the next owner, but for its
// top, where the C library wants zeros: thread pointer block and thread-local data.
#pragma once

#include <cstdint>

#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/gate.h"

namespace nsgx::libos {

class StackCache {
 public:
  struct Stack {
    uint64_t base;
    uint64_t size;
    uint64_t guard;  // bytes without access at its lower end
  };

  constexpr StackCache() = default;
  StackCache(const StackCache&) = delete;
  StackCache& operator=(const StackCache&) = delete;

  // A stack of `size` bytes, kept or new. A new one is all guard. ENOMEM.
  Result<Stack, Errno> Take(uint64_t size);
  // Makes the guard of `stack` end where the program wants it. ENOMEM.
  Result<void, Errno> SetGuard(Stack& stack, uint64_t guard);
  // Keeps the stack, or unmaps it. Requires: nobody uses it. EINVAL: it is no mapping.
  Result<void, Errno> Give(uint64_t base, uint64_t size);

  // A thread begins on `stack` with its stack pointer at `top`: what lies above is the C library's.
  void NoticeTop(const Stack& stack, uint64_t top);

 private:
  static constexpr uint32_t kMaxKept = 128;
  static constexpr uint64_t kMaxKeptBytes = uint64_t{64} << 20;

  // The guards of stacks that were taken not long ago, by address, so that most need not be looked
  // up when they come back.
  static constexpr uint64_t kRemembered = 64;
  static uint64_t SlotOf(uint64_t base) { return (base >> 12) * 0x9e3779b97f4a7c15u >> (64 - 6); }
  static_assert(kRemembered == 1 << 6);
  void Remember(const Stack& stack);
  // EINVAL: `base` is no mapping.
  Result<uint64_t, Errno> GuardOf(uint64_t base, uint64_t size);

  SpinLock lock_;
  Stack kept_[kMaxKept] GUARDED_BY(lock_) = {};
  uint32_t count_ GUARDED_BY(lock_) = 0;
  uint64_t bytes_ GUARDED_BY(lock_) = 0;
  // How much of a stack's top has to be zero. 0: not known yet, no thread has been made.
  uint64_t cleared_top_ GUARDED_BY(lock_) = 0;
  Stack remembered_[kRemembered] GUARDED_BY(lock_) = {};
};

StackCache& ThreadStacks();

}  // namespace nsgx::libos
