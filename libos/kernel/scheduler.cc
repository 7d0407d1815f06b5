// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/scheduler.h"

#include <algorithm>
#include <atomic>
#include <new>

#include "base/core/check.h"
#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/context.h"
#include "libos/kernel/host_watch_list.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/timer_queue.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::libos {
namespace {

// How long an idle vCPU looks for work before it leaves the enclave, in nanoseconds. A wake-up from
// outside costs some microseconds; spinning for longer than that only heats the processor.
constexpr uint64_t kSpinTime = 20'000;
// Looks at another queue without any change before a thief takes from it. Its owner usually comes
// for it within one or two.
constexpr uint32_t kStealPatience = 20;
// The preemption tick while somebody waits, and as a heartbeat while several vCPUs run: a signal
// for a thread that runs on another vCPU is seen at its next call or tick.
constexpr uint32_t kTickMicroseconds = 2000;
constexpr uint32_t kHeartbeatMicroseconds = 20'000;
// Where the tick only sees to deadlines: how early, how late, and how far behind one.
constexpr uint32_t kShortestTickMicroseconds = 500;
constexpr uint32_t kLongestTickMicroseconds = 1'000'000;
constexpr uint32_t kTickMargin = 50;
// Ticks that found nobody waiting before the tick is slowed down or stopped.
constexpr uint32_t kUselessTicks = 2;
// How long a parked vCPU keeps its tick: it may get work again at once, and setting the tick is a
// host call. Each tick costs more than that: it is a signal, and wakes the vCPU.
constexpr uint64_t kTickLinger = 5'000'000;

constinit std::atomic<Cpu*> cpus[NSGX_MAX_VCPUS] = {};
constinit std::atomic<uint32_t> started_cpus{1};
constinit std::atomic<uint32_t> maximum_cpus{1};
// vCPUs that look for work right now; while there is one, nobody needs to be woken.
constinit std::atomic<uint32_t> searching{0};
constinit std::atomic<uint32_t> parked_cpus{0};
// The parked vCPU that watches deadlines and the host for everybody, and until when it sleeps. 0:
// nobody does. Both change together: who finds somebody else's deadline here would leave it, and
// all who park after him would rely on a sleep that is over.
constinit SpinLock keeper_lock;
constinit Deadline keeper_deadline GUARDED_BY(keeper_lock) = 0;
constinit uint32_t keeper GUARDED_BY(keeper_lock) = 0;

uint32_t Raw(ThreadState state) { return static_cast<uint32_t>(state); }
ThreadState Base(uint32_t state) { return static_cast<ThreadState>(state & kThreadStateMask); }
WakeReason ReasonIn(uint32_t state) { return static_cast<WakeReason>(state >> kWakeReasonShift); }

void Defer(Cpu& cpu, uint32_t work) {
  cpu.deferred |= work;
  ThisSlot().pending = 1;
}

// True: the caller ended the sleep of `cpu`, and must call the host about it unless it is on it.
bool Unpark(Cpu& cpu) {
  if (cpu.parked.load(std::memory_order_relaxed) == 0 || cpu.parked.exchange(0) == 0) {
    return false;
  }
  parked_cpus.fetch_sub(1);
  return true;
}

bool AnybodyToWake() {
  return searching.load() == 0 &&
         (parked_cpus.load() != 0 || started_cpus.load() < maximum_cpus.load());
}

// Wakes a parked vCPU, or starts a new one. Returns whether there was any. Does a host call, so: no
// locks.
bool WakeOrStartOne() {
  if (!AnybodyToWake()) {
    return false;
  }
  const uint32_t count = started_cpus.load();
  for (uint32_t i = 0; i < count; ++i) {
    Cpu* cpu = CpuByIndex(i);
    if (cpu != nullptr && Unpark(*cpu)) {
      host::WakeVcpu(i);
      return true;
    }
  }
  uint32_t next = count;
  if (next >= maximum_cpus.load() || !started_cpus.compare_exchange_strong(next, next + 1)) {
    return false;
  }
  if (!host::StartVcpu(next).ok()) {
    // The host has no thread for it. Those that run are all there will be.
    maximum_cpus.store(next);
    started_cpus.store(next);
    return false;
  }
  return true;
}

// The pace that the tick should have on a vCPU while a thread of the program runs, and the first
// deadline that it sees to. Deadlines before that one need another pace.
struct TickPlan {
  uint32_t microseconds;
  Deadline covers;
};

bool SomebodyWaits(Cpu& cpu) { return cpu.queue.length() != 0 || HostWatches().is_watching(); }

// Whether something may happen that only a tick shows: on another vCPU, or outside.
bool NeedsHeartbeat() {
  return started_cpus.load(std::memory_order_relaxed) > 1 || HostWatches().takes_signals();
}

TickPlan PlanTick(Cpu& cpu) {
  if (SomebodyWaits(cpu)) {
    return {.microseconds = kTickMicroseconds, .covers = 0};
  }
  const uint32_t heartbeat = NeedsHeartbeat() ? kHeartbeatMicroseconds : 0;
  const Deadline earliest = Timers().earliest();
  if (earliest == kForever) {
    return {.microseconds = heartbeat, .covers = kForever};
  }
  // The first tick comes right behind the deadline.
  const uint64_t now = MonotonicNow();
  const uint64_t left = earliest > now ? (earliest - now) / 1000 : 0;
  const uint32_t longest = heartbeat != 0 ? heartbeat : kLongestTickMicroseconds;
  const uint32_t pace = left + kTickMargin >= longest ? longest
                        : left < kShortestTickMicroseconds
                            ? kShortestTickMicroseconds
                            : static_cast<uint32_t>(left) + kTickMargin;
  return {.microseconds = pace, .covers = earliest};
}

void SetTick(Cpu& cpu, TickPlan plan) {
  cpu.tick_covers = plan.covers;
  cpu.useless_ticks = 0;
  if (cpu.tick_microseconds != plan.microseconds) {
    cpu.tick_microseconds = plan.microseconds;
    host::SetTick(plan.microseconds);
  }
}

// Called where the vCPU goes on with a thread of the program.
void NoticeWaiting(Cpu& cpu) {
  const bool too_slow = SomebodyWaits(cpu) ? cpu.tick_covers != 0
                                           : Timers().earliest() < cpu.tick_covers ||
                                                 (cpu.tick_microseconds == 0 && NeedsHeartbeat());
  if (too_slow) {
    Defer(cpu, kDeferTick);
  }
}

// Of a counter that others only read.
void AddByOwner(std::atomic<uint64_t>& counter, uint64_t more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_release);
}

void SwitchTo(Cpu& cpu, Thread& next) {
  Thread* from = cpu.current;
  const uint64_t now = ReadTsc();
  const uint64_t stretch = now - cpu.switch_ticks.load(std::memory_order_relaxed);
  cpu.switch_ticks.store(0, std::memory_order_release);
  AddByOwner(from->cpu_ticks, stretch);
  if (!from->is_idle) {
    AddByOwner(cpu.busy_ticks, stretch);
  }
  cpu.is_busy.store(!next.is_idle, std::memory_order_release);
  cpu.current = &next;
  cpu.switch_ticks.store(now, std::memory_order_release);
  ++cpu.switches;
  AddByOwner(cpu.pauses, 1);  // behind the lock of a queue
  next.state.store(Raw(ThreadState::kRunning), std::memory_order_relaxed);
  next.last_cpu = cpu.index;
  if (!next.is_idle) {
    NoticeWaiting(cpu);
  }
  libos_finish_switch(libos_switch(from, &next));
}

// Leaves the vCPU to the next in the queue, or to the idle context.
void SwitchAway() {
  Cpu& cpu = ThisCpu();
  Thread* next = cpu.queue.Pop();
  SwitchTo(cpu, next != nullptr ? *next : cpu.idle);
}

void RunTimers() {
  if (Timers().earliest() != kForever) {
    Timers().FireDue(MonotonicNow());
  }
}

// Takes a thread that has lain in another vCPU's queue for a while.
Thread* Steal(Cpu& thief) {
  const uint32_t count = started_cpus.load(std::memory_order_relaxed);
  for (uint32_t i = 1; i < count; ++i) {
    Cpu* victim = CpuByIndex((thief.index + i) % count);
    const Thread* head = victim != nullptr ? victim->queue.head() : nullptr;
    if (head == nullptr) {
      continue;
    }
    if (head != thief.steal_candidate) {
      thief.steal_candidate = head;
      thief.steal_patience = 0;
    } else if (++thief.steal_patience > kStealPatience) {
      thief.steal_candidate = nullptr;
      Thread* stolen = victim->queue.Pop();
      if (stolen != nullptr) {
        ++thief.steals;
        return stolen;
      }
    }
    return nullptr;  // one candidate at a time
  }
  return nullptr;
}

// The vCPU whose queue is so much longer than `cpu`'s that a thread of it would run sooner here;
// null: none. With nobody waiting here one is enough, so that no thread keeps a vCPU for itself
// while others share one.
Cpu* Overloaded(const Cpu& cpu) {
  const uint32_t own = cpu.queue.length();
  uint32_t longest = own == 0 ? 0 : own + 1;
  Cpu* found = nullptr;
  const uint32_t count = started_cpus.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    Cpu* other = CpuByIndex(i);
    if (other != nullptr && other->queue.length() > longest) {
      longest = other->queue.length();
      found = other;
    }
  }
  return found;
}

// True when some vCPU has more waiting than it will take itself.
bool SomebodyNeedsHelp() {
  const uint32_t count = started_cpus.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    Cpu* cpu = CpuByIndex(i);
    if (cpu != nullptr && cpu->queue.length() >= 2) {
      return true;
    }
  }
  return false;
}

// Looks for work until some is there or it is time to park.
Thread* FindWork(Cpu& cpu) {
  Thread* found = cpu.queue.Pop();
  if (found != nullptr) {
    return found;
  }
  if (started_cpus.load(std::memory_order_relaxed) == 1 || HostWatches().needs_keeper()) {
    return nullptr;  // nobody could bring any, or the host may have some
  }
  searching.fetch_add(1);
  cpu.steal_candidate = nullptr;
  const uint64_t give_up = ReadTsc() + NanosecondsToTicks(kSpinTime);
  do {
    found = cpu.queue.Pop();
    if (found == nullptr) {
      found = Steal(cpu);
    }
    if (found != nullptr) {
      break;
    }
    if (Timers().earliest() != kForever) {
      RunTimers();
    }
    cpu.pauses.fetch_add(1);
    __builtin_ia32_pause();
  } while (ReadTsc() < give_up);
  searching.fetch_sub(1);
  return found;
}

// Whether vCPU `index` has to watch for all while it sleeps until `end`: nobody does, or not as
// early as the first of all deadlines.
bool BecomeKeeper(uint32_t index, Deadline first, Deadline end) {
  SpinLockGuard guard(keeper_lock);
  if (keeper_deadline != 0 && first >= keeper_deadline && !HostWatches().needs_keeper()) {
    return false;
  }
  keeper_deadline = end;
  keeper = index;
  return true;
}

void StopKeeping(uint32_t index) {
  SpinLockGuard guard(keeper_lock);
  if (keeper == index) {
    keeper_deadline = 0;
  }
}

// The vCPU that keeps, or nullptr.
Cpu* Keeper() {
  SpinLockGuard guard(keeper_lock);
  return keeper_deadline != 0 ? CpuByIndex(keeper) : nullptr;
}

// Sleeps in the host until woken, a deadline comes or the host has news.
void Park(Cpu& cpu) {
  cpu.parked.store(1);
  parked_cpus.fetch_add(1);
  // Whoever queues from now on sees that this vCPU sleeps; what was queued before is seen here.
  if (cpu.queue.length() != 0 || SomebodyNeedsHelp()) {
    Unpark(cpu);
    return;
  }
  ++cpu.parks;
  Deadline stop_tick = kForever;
  if (cpu.tick_microseconds != 0) {
    // Ticks end this sleep, too, so it counts from when the vCPU had no work any more.
    const uint64_t idle =
        TicksToNanoseconds(ReadTsc() - cpu.switch_ticks.load(std::memory_order_relaxed));
    stop_tick = MonotonicNow() + (idle < kTickLinger ? kTickLinger - idle : 0);
  }
  const Deadline first = Timers().earliest();
  const Deadline end = std::min(first, stop_tick);
  if (BecomeKeeper(cpu.index, first, end)) {
    HostWatches().WaitAsKeeper(end);
    StopKeeping(cpu.index);
  } else {
    host::Idle(stop_tick);
  }
  const bool was_woken = !Unpark(cpu);
  if (!was_woken && stop_tick != kForever && MonotonicNow() >= stop_tick) {
    SetTick(cpu, {.microseconds = 0, .covers = kForever});
  }
}

}  // namespace

// ---- run queue
// ------------------------------------------------------------------------------------------------

uint32_t RunQueue::Push(Thread& thread) {
  thread.next_runnable = nullptr;
  SpinLockGuard guard(lock_);
  if (head_.load(std::memory_order_relaxed) == nullptr) {
    head_.store(&thread, std::memory_order_relaxed);
  } else {
    tail_->next_runnable = &thread;
  }
  tail_ = &thread;
  return length_.fetch_add(1) + 1;
}

Thread* RunQueue::Pop() {
  if (head_.load(std::memory_order_relaxed) == nullptr) {
    return nullptr;
  }
  SpinLockGuard guard(lock_);
  Thread* thread = head_.load(std::memory_order_relaxed);
  if (thread != nullptr) {
    head_.store(thread->next_runnable, std::memory_order_relaxed);
    length_.fetch_sub(1);
  }
  return thread;
}

// ---- vCPUs
// ----------------------------------------------------------------------------------------------------

Cpu* CpuByIndex(uint32_t index) {
  return index < NSGX_MAX_VCPUS ? cpus[index].load(std::memory_order_acquire) : nullptr;
}

uint32_t StartedCpus() { return started_cpus.load(std::memory_order_relaxed); }
uint32_t MaximumCpus() { return maximum_cpus.load(std::memory_order_relaxed); }

void InitCpu(uint32_t maximum) {
  nsgx_slot& slot = ThisSlot();
  Cpu& cpu = *::new (static_cast<void*>(slot.libos)) Cpu{};
  cpu.index = slot.index;
  cpu.idle.is_idle = true;
  cpu.current = &cpu.idle;
  cpu.switch_ticks.store(ReadTsc());
  cpu.tick_covers = kForever;
  cpu.random.used = sizeof(cpu.random.bytes);
  if (slot.index == 0) {
    maximum_cpus.store(maximum);
  }
  cpus[slot.index].store(&cpu, std::memory_order_release);
}

void RunIdle() {
  while (true) {
    Cpu& cpu = ThisCpu();
    RunDeferred();
    RunTimers();
    Thread* work = FindWork(cpu);
    if (work != nullptr) {
      SwitchTo(cpu, *work);
    } else {
      Park(cpu);
    }
  }
}

void RunFirst(Thread& thread) {
  SwitchTo(ThisCpu(), thread);
  RunIdle();
}

// ---- switching
// ------------------------------------------------------------------------------------------------

extern "C" void libos_finish_switch(Thread* previous) {
  uint32_t state = previous->state.load(std::memory_order_acquire);
  switch (Base(state)) {
    case ThreadState::kFallingAsleep:
      if (previous->state.compare_exchange_strong(
              state, Raw(ThreadState::kAsleep) | (state & kInterruptibleBit))) {
        break;
      }
      [[fallthrough]];  // woken in between; `state` says why
    case ThreadState::kWokenEarly:
      previous->wake_reason = ReasonIn(state);
      [[fallthrough]];
    case ThreadState::kYielding:
      MakeRunnable(*previous);
      break;
    case ThreadState::kDead:
      FreeThread(*previous);
      break;
    case ThreadState::kRunning:
      CHECK(previous->is_idle);
      break;
    case ThreadState::kAsleep:
    case ThreadState::kRunnable:
      Panic("a thread left its vCPU in a state that only others give it");
  }
}

void MakeRunnable(Thread& thread) {
  thread.state.store(Raw(ThreadState::kRunnable), std::memory_order_relaxed);
  Cpu& cpu = ThisCpu();
  const uint32_t waiting = cpu.queue.Push(thread);
  if (waiting > 1 && AnybodyToWake()) {
    Defer(cpu, kDeferWake);
  }
  if (!cpu.current->is_idle) {
    NoticeWaiting(cpu);
  }
}

void BeginSleep(bool interruptible) {
  CurrentThread().state.store(Raw(ThreadState::kFallingAsleep) |
                              (interruptible ? kInterruptibleBit : 0));
}

WakeReason Sleep(Deadline deadline) {
  Thread& self = CurrentThread();
  uint32_t falling = self.state.load();
  if (Base(falling) == ThreadState::kFallingAsleep) {
    // A signal that came before BeginSleep found nobody asleep; one that comes later finds the
    // state.
    if ((falling & kInterruptibleBit) != 0 && HasInterruptingSignal(self)) {
      TryInterrupt(self);
    } else if (deadline != kForever) {
      if (deadline <= MonotonicNow()) {
        TryWake(self, WakeReason::kTimeout);
      } else {
        Timers().Arm(self.timeout, deadline);
      }
    }
  }
  const uint32_t state = self.state.load();
  if (Base(state) == ThreadState::kWokenEarly) {
    self.wake_reason = ReasonIn(state);
    self.state.store(Raw(ThreadState::kRunning), std::memory_order_relaxed);
  } else {
    SwitchAway();
  }
  if (deadline != kForever) {
    Timers().Disarm(self.timeout);
  }
  return self.wake_reason;
}

namespace {

bool Wake(Thread& thread, WakeReason reason, uint32_t required_bits) {
  uint32_t state = thread.state.load();
  while (true) {
    if ((state & required_bits) != required_bits) {
      return false;
    }
    if (Base(state) == ThreadState::kAsleep) {
      if (thread.state.compare_exchange_weak(state, Raw(ThreadState::kRunnable))) {
        thread.wake_reason = reason;
        MakeRunnable(thread);
        return true;
      }
    } else if (Base(state) == ThreadState::kFallingAsleep) {
      // Its own vCPU goes on with it, and learns the reason from the state.
      const uint32_t woken = Raw(ThreadState::kWokenEarly) | static_cast<uint32_t>(reason)
                                                                 << kWakeReasonShift;
      if (thread.state.compare_exchange_weak(state, woken)) {
        return true;
      }
    } else {
      return false;
    }
  }
}

}  // namespace

bool TryWake(Thread& thread, WakeReason reason) { return Wake(thread, reason, 0); }
bool TryInterrupt(Thread& thread) { return Wake(thread, WakeReason::kSignal, kInterruptibleBit); }

void Yield() {
  Cpu& cpu = ThisCpu();
  Thread* next = cpu.queue.Pop();
  if (next != nullptr) {
    cpu.current->state.store(Raw(ThreadState::kYielding), std::memory_order_relaxed);
    SwitchTo(cpu, *next);
  }
}

void ExitThread() {
  CurrentThread().state.store(Raw(ThreadState::kDead), std::memory_order_relaxed);
  SwitchAway();
  Panic("a dead thread was switched to");
}

// ---- work put off, and ticks
// ----------------------------------------------------------------------------------

void RunDeferred() {
  nsgx_slot& slot = ThisSlot();
  Cpu& cpu = ThisCpu();
  const bool tick_came = slot.pending != 0 && cpu.deferred == 0;
  slot.pending = 0;
  const uint32_t work = cpu.deferred;
  cpu.deferred = 0;
  if ((work & kDeferWake) != 0) {
    WakeOrStartOne();
  }
  // With several vCPUs each has its heartbeat, so starting one may be a reason for a tick.
  if (!cpu.current->is_idle) {
    SetTick(cpu, PlanTick(cpu));
  }
  if (tick_came && !cpu.current->is_idle && TickNeedsWork()) {
    OnTick();
  }
}

bool TickNeedsWork() {
  Cpu& cpu = ThisCpu();
  ++cpu.ticks;
  cpu.pauses.fetch_add(1);
  const Deadline earliest = Timers().earliest();
  if (cpu.queue.length() != 0 || cpu.deferred != 0 || HostWatches().is_watching() ||
      cpu.current->attention.load(std::memory_order_relaxed) != 0 ||
      (earliest != kForever && earliest <= MonotonicNow()) || Overloaded(cpu) != nullptr) {
    return true;
  }
  ++cpu.useless_ticks;
  return HostWatches().takes_signals() || (cpu.useless_ticks >= kUselessTicks &&
                                           PlanTick(cpu).microseconds != cpu.tick_microseconds);
}

void OnTick() {
  RunTimers();
  Cpu& cpu = ThisCpu();
  if (HostWatches().needs_keeper() || HostWatches().takes_signals()) {
    HostWatches().Poll();
  }
  if (!AnybodyToWake()) {
    Cpu* overloaded = Overloaded(cpu);
    Thread* taken = overloaded != nullptr ? overloaded->queue.Pop() : nullptr;
    if (taken != nullptr) {
      ++cpu.steals;
      cpu.queue.Push(*taken);
      NoticeWaiting(cpu);
    }
  }
  if (cpu.queue.length() == 0) {
    if (cpu.useless_ticks >= kUselessTicks) {
      SetTick(cpu, PlanTick(cpu));
    }
    return;
  }
  cpu.useless_ticks = 0;
  // Somebody waits for a whole tick while another vCPU sleeps. If that one does not come either,
  // the next tick finds it awake. A host may run a vCPU that it said it would not: that one sleeps
  // and is never asked.
  if (!WakeOrStartOne()) {
    ++cpu.preemptions;
    Yield();
  }
}

void WakeKeeper() {
  Cpu* const cpu = Keeper();
  if (cpu != nullptr && Unpark(*cpu)) {
    host::WakeVcpu(cpu->index);
  }
}

void NoticeNewDeadline() { NoticeWaiting(ThisCpu()); }

uint64_t CurrentCpuTicks() {
  Cpu& cpu = ThisCpu();
  return cpu.current->cpu_ticks.load(std::memory_order_relaxed) +
         (ReadTsc() - cpu.switch_ticks.load(std::memory_order_relaxed));
}

namespace {

// What `read` makes of the vCPU's counters, which do not change meanwhile, and of the TSC when the
// current stretch began.
template <typename Read>
uint64_t ReadTogether(const Cpu& cpu, Read read) {
  while (true) {
    const uint64_t began = cpu.switch_ticks.load(std::memory_order_acquire);
    const uint64_t result = read(began);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (began != 0 && cpu.switch_ticks.load(std::memory_order_acquire) == began) {
      return result;
    }
    __builtin_ia32_pause();
  }
}

}  // namespace

uint64_t CpuTicksOf(Thread& thread) {
  const Cpu* cpu = CpuByIndex(thread.last_cpu);
  if (cpu == nullptr) {
    return thread.cpu_ticks.load(std::memory_order_relaxed);
  }
  return ReadTogether(*cpu, [&](uint64_t began) {
    const uint64_t before = thread.cpu_ticks.load(std::memory_order_acquire);
    return __atomic_load_n(&cpu->current, __ATOMIC_ACQUIRE) == &thread
               ? before + (ReadTsc() - began)
               : before;
  });
}

uint64_t ProcessCpuTicks() {
  uint64_t total = 0;
  for (uint32_t i = 0; i < StartedCpus(); ++i) {
    const Cpu* cpu = CpuByIndex(i);
    if (cpu != nullptr) {
      total += ReadTogether(*cpu, [&](uint64_t began) {
        const uint64_t before = cpu->busy_ticks.load(std::memory_order_acquire);
        return cpu->is_busy.load(std::memory_order_acquire) ? before + (ReadTsc() - began) : before;
      });
    }
  }
  return total;
}

SchedulingCounts CountScheduling() {
  SchedulingCounts counts = {};
  for (uint32_t i = 0; i < StartedCpus(); ++i) {
    const Cpu* cpu = CpuByIndex(i);
    if (cpu != nullptr) {
      // Before the switches that they are part of: read later, they could be more.
      counts.preemptions += __atomic_load_n(&cpu->preemptions, __ATOMIC_RELAXED);
      counts.switches += __atomic_load_n(&cpu->switches, __ATOMIC_RELAXED);
      counts.steals += __atomic_load_n(&cpu->steals, __ATOMIC_RELAXED);
      counts.parks += __atomic_load_n(&cpu->parks, __ATOMIC_RELAXED);
      counts.ticks += __atomic_load_n(&cpu->ticks, __ATOMIC_RELAXED);
    }
  }
  return counts;
}

void PassBarrierEverywhere() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // The first pause that is seen may have had its barrier before the fence above; the second comes
  // behind the first.
  constexpr uint64_t kPauses = 2;
  constexpr uint64_t kLookAgain = 200'000;
  const uint32_t count = StartedCpus();
  uint64_t seen[NSGX_MAX_VCPUS];
  const uint32_t self = ThisCpu().index;
  for (uint32_t i = 0; i < count; ++i) {
    const Cpu* cpu = CpuByIndex(i);
    seen[i] = cpu != nullptr ? cpu->pauses.load() : 0;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const Cpu* cpu = CpuByIndex(i);
    while (i != self && cpu != nullptr && cpu->parked.load() == 0 &&
           cpu->pauses.load() - seen[i] < kPauses) {
      BeginSleep(false);
      Sleep(DeadlineAfter(kLookAgain));
    }
  }
}

// ---- waiting on a queue: wait.h
// -------------------------------------------------------------------------------

bool WaitQueue::is_empty() const { return sleepers_.is_empty(); }

uint32_t WaitQueue::Wake(uint32_t count) {
  uint32_t woken = 0;
  while (woken < count) {
    Thread* sleeper = sleepers_.PopFront();
    if (sleeper == nullptr) {
      break;
    }
    // Who was woken by a timeout or a signal before is passed over: the wake-up must not be lost on
    // it.
    if (TryWake(*sleeper, WakeReason::kWoken)) {
      ++woken;
    }
  }
  return woken;
}

WakeReason Block(WaitQueue& queue, SpinLock& lock, Deadline deadline, bool interruptible) {
  Thread& self = CurrentThread();
  queue.sleepers_.PushBack(self);
  BeginSleep(interruptible);
  lock.Unlock();
  const WakeReason reason = Sleep(deadline);
  if (reason != WakeReason::kWoken) {
    SpinLockGuard guard(lock);
    if (static_cast<ListNode<>&>(self).is_linked()) {
      queue.sleepers_.Erase(self);
    }
  }
  return reason;
}

}  // namespace nsgx::libos
