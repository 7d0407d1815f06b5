// SPDX-License-Identifier: Apache-2.0
// M threads on N vCPUs. Everything here requires ticks off, as all code of the library OS has it.
//
// Who runs next: the vCPU's own queue first; an idle vCPU takes from another's queue only what has
// lain there for a while. A parked vCPU is woken, or a new one started, for the second thread that
// would have to wait; a single one may have to wait for the tick, because most of the time it is
// about to get the vCPU anyhow.
#pragma once

#include <cstdint>

#include "libos/kernel/cpu.h"
#include "libos/kernel/thread.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

// Sleeping, for those that keep sleepers in structures of their own (wait.h serves the others):
//   lock; put the thread where its waker finds it; BeginSleep; unlock; Sleep; lock; take the thread
//   out if it is still there.
void BeginSleep(bool interruptible);
// Requires: BeginSleep. Returns why it ended; kSignal only if interruptible.
WakeReason Sleep(Deadline deadline);

// Ends the sleep of `thread` unless something else has done so. True: the caller did.
bool TryWake(Thread& thread, WakeReason reason);
// As TryWake with kSignal, if it sleeps interruptibly.
bool TryInterrupt(Thread& thread);

// Puts a thread that nobody runs into the queue of this vCPU. For new threads; others are woken.
void MakeRunnable(Thread& thread);

// Gives up the vCPU if somebody waits for it.
void Yield();

// The current thread is over; its block is given back once nobody stands on it.
[[noreturn]] void ExitThread();

// Becomes the idle context of this vCPU, for good. Requires: the slot's own stack, InitCpu.
[[noreturn]] void RunIdle();

// The current thread begins to run on vCPU 0, at boot. Its context so far is lost.
[[noreturn]] void RunFirst(Thread& thread);

// Makes the vCPU of this slot known. Once for each slot, on it.
void InitCpu(uint32_t maximum_cpus);

// Work put off while locks were held, and a tick that came at a bad moment. Called on the way back
// to the program when slot.pending is set. May give up the vCPU.
void RunDeferred();

// A preemption tick came while the program ran. Needs: whether OnTick has anything to do; cheap,
// takes no locks.
bool TickNeedsWork();
// Fires timers, gives the vCPU to who waits, or stops the tick. May give up the vCPU.
void OnTick();

// Makes the parked vCPU that watches deadlines and the host look again. Requires: no locks.
void WakeKeeper();

// A deadline was set that no thread sleeps for: the tick may have to see to it.
void NoticeNewDeadline();

// TSC ticks that the current thread has had so far, this stretch included.
uint64_t CurrentCpuTicks();
// The same of any thread. Requires: it does not end meanwhile.
uint64_t CpuTicksOf(Thread& thread);
// TSC ticks that all threads together have had.
uint64_t ProcessCpuTicks();

// What happened on all vCPUs together so far.
struct SchedulingCounts {
  uint64_t switches;     // a vCPU went on with another thread
  uint64_t preemptions;  // those of them that a tick forced
  uint64_t steals;       // a vCPU took a thread that waited for another
  uint64_t parks;        // a vCPU had nothing to run and slept
  uint64_t ticks;
};
SchedulingCounts CountScheduling();

// Returns once every other vCPU has passed a full memory barrier. May give up the vCPU, and takes
// as long as it takes until each has had a tick.
void PassBarrierEverywhere();

}  // namespace nsgx::libos
