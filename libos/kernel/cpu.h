// SPDX-License-Identifier: Apache-2.0
// One vCPU: what belongs to it alone. It lies in the thread slot, which the GS base points at as
// long as the enclave runs.
//
// Which vCPU the caller is on changes with every call that may give up the vCPU: look it up again
// afterwards.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/core/spinlock.h"
#include "libos/kernel/cpu_offsets.h"
#include "libos/kernel/thread.h"
#include "vmpl-switch/abi/slot.h"

namespace nsgx::libos {

// Runnable threads that wait for a vCPU, first come first served. The owner takes from it all the
// time, thieves seldom.
class RunQueue {
 public:
  // Returns how many wait now.
  uint32_t Push(Thread& thread);
  // Null when nobody waits.
  Thread* Pop();

  // A moment old, for thieves and for the decision to wake somebody.
  uint32_t length() const { return length_.load(std::memory_order_seq_cst); }
  const Thread* head() const { return head_.load(std::memory_order_relaxed); }

 private:
  SpinLock lock_;
  std::atomic<Thread*> head_{nullptr};
  Thread* tail_ = nullptr;
  std::atomic<uint32_t> length_{0};
};

// Work that is put off to a point where no lock is held.
inline constexpr uint32_t kDeferTick = 1;  // start the preemption tick
inline constexpr uint32_t kDeferWake = 2;  // wake or start another vCPU

struct Cpu {
  // For assembly: cpu_offsets.h.
  Thread* current;
  uint64_t return_frame[5];

  uint32_t index;
  uint32_t deferred;  // kDefer*
  RunQueue queue;
  // TSC when `current` began to run. 0 while it and what depends on it change, so that others can
  // read them together: see scheduler.cc.
  std::atomic<uint64_t> switch_ticks;
  std::atomic<uint64_t> busy_ticks;  // TSC ticks spent on threads, without the current stretch
  std::atomic<bool> is_busy;         // `current` is a thread
  // Counts moments at which no thread of the program was between two of its instructions, each
  // behind a full memory barrier. Written by this vCPU alone.
  std::atomic<uint64_t> pauses;

  // Idle: set, queues looked at again, then asleep. A waker clears it and only then calls the host.
  std::atomic<uint32_t> parked;
  // Of the vCPU whose queue was last seen waiting by this thief, and for how many looks it has not
  // moved.
  const Thread* steal_candidate;
  uint32_t steal_patience;

  // The preemption tick: its pace, 0: stopped; the first deadline that it sees to, 0: all; and for
  // how many ticks nobody has waited.
  uint32_t tick_microseconds;
  uint32_t useless_ticks;
  Deadline tick_covers;

  // Blocks of dead threads, ready for the next.
  void* thread_cache;
  uint32_t thread_cache_size;

  // Random bytes ready to be handed out: random.cc.
  struct {
    alignas(16) uint8_t bytes[256];
    uint32_t used;
  } random;

  // Statistics.
  uint64_t switches, steals, parks, ticks, preemptions;

  alignas(64) Thread idle;
};
static_assert(sizeof(Cpu) <= sizeof(nsgx_slot::libos));
static_assert(offsetof(nsgx_slot, libos) == NSGX_SLOT_LIBOS);
static_assert(NSGX_SLOT_LIBOS % alignof(Cpu) == 0);

#ifdef NSGX_LIBOS_ON_HOST
// Unit tests have vCPUs without an enclave; see testing/fake_cpu.h.
nsgx_slot& ThisSlot();
uint64_t ReadFsBase();
void WriteFsBase(uint64_t base);
#else
inline nsgx_slot& ThisSlot() {
  nsgx_slot* slot;
  asm volatile("mov %%gs:%c1, %0" : "=r"(slot) : "i"(NSGX_SLOT_SELF));
  return *slot;
}

// The program's thread pointer. The context switch saves and loads it.
inline uint64_t ReadFsBase() {
  uint64_t base;
  asm volatile("rdfsbase %0" : "=r"(base));
  return base;
}
inline void WriteFsBase(uint64_t base) { asm volatile("wrfsbase %0" : : "r"(base) : "memory"); }
#endif

inline Cpu& ThisCpu() { return *reinterpret_cast<Cpu*>(ThisSlot().libos); }

// Always the same object for one thread, whatever the vCPU.
inline Thread& CurrentThread() { return *ThisCpu().current; }

// The vCPU with this index, once it has been entered; null before.
Cpu* CpuByIndex(uint32_t index);
// vCPUs that have been entered or asked for, and how many there can be.
uint32_t StartedCpus();
uint32_t MaximumCpus();

}  // namespace nsgx::libos
