// SPDX-License-Identifier: Apache-2.0
// A thread of the program, and the stack that the library OS uses on its behalf.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "libos/kernel/cpu_offsets.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/signal_types.h"
#include "libos/kernel/timer_queue.h"
#include "libos/kernel/wait.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::libos {

// What assembly and the context switch know of a thread. First in Thread.
struct ThreadHead {
  uint64_t rsp = 0;  // of the suspended context, on the kernel stack
  uint64_t fs_base = 0;
  // Bits below; looked at on the way back to the program. Set by anybody, cleared by the thread
  // itself.
  std::atomic<uint32_t> attention{0};
  uint32_t padding = 0;
  // During a raw system call: what the program goes on with.
  nsgx_frame* raw_frame = nullptr;
};
static_assert(offsetof(ThreadHead, raw_frame) == LIBOS_THREAD_RAW_FRAME);
static_assert(offsetof(ThreadHead, rsp) == LIBOS_THREAD_RSP);
static_assert(offsetof(ThreadHead, fs_base) == LIBOS_THREAD_FS_BASE);
static_assert(offsetof(ThreadHead, attention) == LIBOS_THREAD_ATTENTION);

inline constexpr uint32_t kAttentionSignal = 1;  // a signal may have to be delivered
inline constexpr uint32_t kAttentionStep = 2;    // the program steps through itself: trap flag

// What the program asked for; libos_syscall pushes it at the top of the kernel stack, so it lies
// right below Thread.
struct SyscallRecord {
  uint64_t a6, a5, a4, a3, a2, a1;
  uint64_t number;
  uint64_t user_rsp;  // points at the return address
};
static_assert(sizeof(SyscallRecord) == LIBOS_RECORD_SIZE);
static_assert(offsetof(SyscallRecord, a6) == LIBOS_RECORD_A6 &&
              offsetof(SyscallRecord, a1) == LIBOS_RECORD_A1);
static_assert(offsetof(SyscallRecord, number) == LIBOS_RECORD_NUMBER);
static_assert(offsetof(SyscallRecord, user_rsp) == LIBOS_RECORD_USER_RSP);

// Who may run the thread now. Only the transitions that are named here exist.
enum class ThreadState : uint32_t {
  kRunning,        // on a vCPU. Itself: -> kFallingAsleep, kYielding, kDead
  kFallingAsleep,  // on a vCPU, about to leave it. Waker: -> kWokenEarly. Next context on that
                   // vCPU: -> kAsleep
  kAsleep,         // suspended, its context saved. Waker: -> kRunnable
  kWokenEarly,     // woken before it left. Itself: -> kRunning. Next context: -> kRunnable
  kYielding,       // on a vCPU, about to leave it, wants back. Next context: -> kRunnable
  kRunnable,       // in a run queue. Whoever takes it out: -> kRunning
  kDead,           // on a vCPU for the last time. Next context gives its memory back
};

// A sleep that signals end has this bit in the state too; kWokenEarly has the WakeReason.
inline constexpr uint32_t kThreadStateMask = 0xff;
inline constexpr uint32_t kInterruptibleBit = 0x100;
inline constexpr uint32_t kWakeReasonShift = 16;

// Signals that were sent and not yet delivered, to a thread or to the process. Protected by the
// signal lock.
struct SignalRecord : ListNode<> {
  SignalInfo info;
};
struct PendingSignals {
  std::atomic<uint64_t> set{0};  // written with the lock held, read by anybody
  IntrusiveList<SignalRecord> records;
};

// What the program has said about how a thread is to be scheduled: kept and told, without effect.
// Written by anybody, a word at a time.
struct SchedulingWishes {
  int32_t policy = 0;
  int32_t priority = 0;
  int32_t nice = 0;
  int32_t io_priority = 0;
  bool reset_on_fork = false;
  uint64_t affinity[NSGX_MAX_VCPUS / 64] = {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}};
};

struct ThreadTableTag;

// Ends the sleep of a thread.
struct ThreadTimer : Timer {
  explicit ThreadTimer(Thread& owner);
  Thread& thread;
};

// Made in blocks of kernel stack and Thread, which are kept for the next thread.
class alignas(64) Thread : public ThreadHead, public ListNode<>, public ListNode<ThreadTableTag> {
 public:
  Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // ---- scheduling: scheduler.cc
  std::atomic<uint32_t> state{static_cast<uint32_t>(ThreadState::kRunning)};
  WakeReason wake_reason = WakeReason::kWoken;
  bool is_idle = false;
  Thread* next_runnable = nullptr;  // in a run queue
  ThreadTimer timeout;
  // TSC ticks on a vCPU, without the current stretch. Written by the vCPU that it runs on.
  std::atomic<uint64_t> cpu_ticks{0};
  uint32_t last_cpu = 0;
  SchedulingWishes wishes;

  // ---- locks that are handed from owner to owner: futex_lock.cc
  std::atomic<uint64_t> awaited_lock{0};  // user address of the one that it waits for, 0: none
  std::atomic<bool> owns_contended_lock{false};  // or has owned one

  // ---- identity: process.cc
  int32_t tid = 0;
  char name[16] = {};
  uint64_t clear_child_tid = 0;  // user address, 0: none
  uint64_t robust_list = 0;      // user address of the head, 0: none

  // ---- signals: signal.cc. `blocked` is written by the thread itself alone.
  std::atomic<uint64_t> blocked{0};
  SignalSet saved_blocked;        // put back when a handler returns or sigsuspend ends
  bool restore_blocked = false;   // `saved_blocked` is meant
  bool cancel_interrupt = false;  // the EINTR on its way is for the C library's cancellation
  PendingSignals pending;
  SignalStack signal_stack = {.base = 0, .flags = kSsDisable, .padding = 0, .size = 0};
  std::atomic<uint64_t> waited_for{0};  // sigtimedwait: signals that end its sleep although blocked

  // ---- the stack that the C library took last for a thread that it is about to make: clone.cc
  uint64_t taken_stack = 0;
  uint64_t taken_stack_size = 0;
  uint64_t taken_stack_guard = 0;

  uint64_t kernel_stack_top() const { return reinterpret_cast<uint64_t>(this); }
  SyscallRecord& record() { return *(reinterpret_cast<SyscallRecord*>(this) - 1); }
};
static_assert(alignof(Thread) == 64);

// Makes the context that a new thread starts in: `entry(thread)` on its kernel stack, with ticks
// off. The second leaves what lies from `top` on, a multiple of 16, alone.
void PrepareContext(Thread& thread, void (*entry)(Thread& thread));
void PrepareContextBelow(Thread& thread, uint64_t top, void (*entry)(Thread& thread));

// A block with a fresh Thread in it, from this vCPU's cache if it has one. ENOMEM.
Result<Thread*, Errno> AllocateThread();
// Requires: nobody runs on its stack, nobody can find it.
void FreeThread(Thread& thread);

}  // namespace nsgx::libos
