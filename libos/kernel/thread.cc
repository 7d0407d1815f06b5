// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/thread.h"

#include <new>

#include "base/core/check.h"
#include "base/core/spinlock.h"
#include "libos/kernel/context.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/gate.h"
#include "libos/kernel/scheduler.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

// A block: guard page, kernel stack, and Thread at the stack's top.
constexpr uint64_t kGuardSize = 4096;
constexpr uint64_t kBlockSize = kGuardSize + LIBOS_KERNEL_STACK_SIZE;
constexpr uint64_t kThreadOffset = kBlockSize - ((sizeof(Thread) + 63) & ~uint64_t{63});

// Blocks that a vCPU keeps for itself; the rest is shared.
constexpr uint32_t kMaxCached = 8;

// What lies where Thread was while nobody uses the block.
struct FreeBlock {
  FreeBlock* next;
};

constinit SpinLock shared_lock;
constinit FreeBlock* shared_blocks GUARDED_BY(shared_lock) = nullptr;

Deadline WakeOnTimeout(Timer& timer, Deadline) {
  TryWake(static_cast<ThreadTimer&>(timer).thread, WakeReason::kTimeout);
  return kForever;
}

FreeBlock* TakeBlock() {
  Cpu& cpu = ThisCpu();
  FreeBlock* block = static_cast<FreeBlock*>(cpu.thread_cache);
  if (block != nullptr) {
    cpu.thread_cache = block->next;
    --cpu.thread_cache_size;
    return block;
  }
  SpinLockGuard guard(shared_lock);
  block = shared_blocks;
  if (block != nullptr) {
    shared_blocks = block->next;
  }
  return block;
}

}  // namespace

ThreadTimer::ThreadTimer(Thread& owner) : Timer(&WakeOnTimeout), thread(owner) {}

Thread::Thread() : timeout(*this) {}

void PrepareContext(Thread& thread, void (*entry)(Thread& thread)) {
  PrepareContextBelow(thread, thread.kernel_stack_top() - LIBOS_RECORD_SIZE, entry);
}

void PrepareContextBelow(Thread& thread, uint64_t top, void (*entry)(Thread& thread)) {
  // What libos_switch pops, see switch.S. The `ret` leaves the stack as libos_begin_context wants
  // it: 16-byte aligned.
  struct InitialStack {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t nothing;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t return_address;
    uint64_t end_of_chain[2];
  };
  static_assert(sizeof(InitialStack) % 16 == 0);
  InitialStack* stack = reinterpret_cast<InitialStack*>(top) - 1;
  *stack = {};
  // Rounding and traps of floating point are inherited.
  stack->mxcsr = __builtin_ia32_stmxcsr();
  asm volatile("fnstcw %0" : "=m"(stack->x87_control));
  stack->r12 = reinterpret_cast<uint64_t>(entry);
  stack->r13 = reinterpret_cast<uint64_t>(&thread);
  stack->return_address = reinterpret_cast<uint64_t>(&libos_begin_context);
  thread.rsp = reinterpret_cast<uint64_t>(stack);
}

Result<Thread*, Errno> AllocateThread() {
  FreeBlock* block = TakeBlock();
  if (block != nullptr) {
    return ::new (static_cast<void*>(block)) Thread();
  }
  std::byte* memory = KernelAllocatePages(kBlockSize / kGuardSize, PageContents::kAny);
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  if (!gate::Protect(reinterpret_cast<uint64_t>(memory), kGuardSize, gate::Rights::kNone).ok()) {
    KernelFreePages(memory, kBlockSize / kGuardSize);
    return Error(Errno::kENOMEM);
  }
  return ::new (static_cast<void*>(memory + kThreadOffset)) Thread();
}

void FreeThread(Thread& thread) {
  thread.~Thread();
  FreeBlock* block = ::new (static_cast<void*>(&thread)) FreeBlock{};
  Cpu& cpu = ThisCpu();
  if (cpu.thread_cache_size < kMaxCached) {
    block->next = static_cast<FreeBlock*>(cpu.thread_cache);
    cpu.thread_cache = block;
    ++cpu.thread_cache_size;
    return;
  }
  SpinLockGuard guard(shared_lock);
  block->next = shared_blocks;
  shared_blocks = block;
}

}  // namespace nsgx::libos
