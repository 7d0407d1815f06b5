// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/testing/fake_cpu.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <span>
#include <thread>

#include "base/core/check.h"
#include "libos/host/host.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/clone.h"
#include "libos/kernel/context.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/testing/fake_gate.h"
#include "libos/kernel/user_access.h"
#include "libos/mm/address_space.h"
#include "libos/mm/mapped_file.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kMaxCpus = 4;

alignas(4096) nsgx_slot slots[kMaxCpus];
thread_local nsgx_slot* this_slot = nullptr;

// What stands for a suspended context: its host thread waits here for a vCPU.
struct FakeContext {
  std::binary_semaphore turn{0};
  nsgx_slot* slot = nullptr;
  Thread* previous = nullptr;
};

struct World {
  std::mutex mutex;
  std::map<Thread*, std::shared_ptr<FakeContext>> contexts;
  // The host's side of each vCPU.
  struct Parking {
    std::condition_variable changed;
    bool woken = false;
  } parking[kMaxCpus];
  bool ready[3] = {};
  testing::HostCounts counts = {};
  std::function<void()> body;
};

World& TheWorld() {
  static World* world = new World;
  return *world;
}

std::shared_ptr<FakeContext> ContextOf(Thread* thread, bool make) {
  World& world = TheWorld();
  std::lock_guard lock(world.mutex);
  std::shared_ptr<FakeContext>& context = world.contexts[thread];
  if (context == nullptr && make) {
    context = std::make_shared<FakeContext>();
  }
  return context;
}

// What PrepareContext wrote: see switch.S.
struct InitialStack {
  uint64_t floating_point;
  uint64_t r15, r14, r13, r12, rbx, rbp;
};

void BeginContext(Thread* thread, nsgx_slot* slot, Thread* previous) {
  this_slot = slot;
  const InitialStack stack = *reinterpret_cast<const InitialStack*>(thread->rsp);
  libos_finish_switch(previous);
  reinterpret_cast<void (*)(Thread&)>(stack.r12)(*thread);
}

// Waits until `done` or the deadline, by the library OS's clock.
template <typename Done>
void WaitUntil(World::Parking& parking, std::unique_lock<std::mutex>& lock, uint64_t deadline,
               Done done) {
  while (!done()) {
    const uint64_t now = MonotonicNow();
    if (now >= deadline) {
      return;
    }
    const uint64_t left = std::min(deadline - now, uint64_t{50'000'000});
    parking.changed.wait_for(lock, std::chrono::nanoseconds(left));
  }
}

}  // namespace

nsgx_slot& ThisSlot() { return *this_slot; }
uint64_t ReadFsBase() { return 0; }
void WriteFsBase(uint64_t) {}

uint64_t libos_xsave_mask = 3;
uint64_t libos_frame_size = NSGX_FRAME_XSAVE + 576;

extern "C" {

Thread* libos_switch(Thread* from, Thread* to) {
  std::shared_ptr<FakeContext> mine = ContextOf(from, true);
  const bool is_dead = from->state.load() == static_cast<uint32_t>(ThreadState::kDead);
  if (is_dead) {
    std::lock_guard lock(TheWorld().mutex);
    TheWorld().contexts.erase(from);  // the next thread in this block has a context of its own
  }
  if (std::shared_ptr<FakeContext> other = ContextOf(to, false); other != nullptr) {
    other->slot = this_slot;
    other->previous = from;
    other->turn.release();
  } else {
    ContextOf(to, true);
    std::thread(BeginContext, to, this_slot, from).detach();
  }
  if (is_dead) {
    pthread_exit(nullptr);
  }
  mine->turn.acquire();
  this_slot = mine->slot;
  return mine->previous;
}

void libos_begin_context() {}
void libos_syscall() {}
bool libos_call_can_be_made_again(uint64_t number) { return number == 0; }
[[noreturn]] void libos_start_program_thread(uint64_t, uint64_t, uint64_t) { abort(); }
[[noreturn]] void libos_resume_program(nsgx_frame*) { abort(); }

}  // extern "C"

Result<MappedFile*, Errno> OpenForMapping(int32_t, bool) { return Error(Errno::kEBADF); }

[[noreturn]] void Panic(const char* what) {
  fprintf(stderr, "panic: %s\n", what);
  _exit(70);
}
[[noreturn]] void DieBySignal(const SignalInfo& info, const nsgx_frame*) {
  fprintf(stderr, "killed by signal %d\n", info.signal);
  _exit(128 + info.signal);
}

namespace host {

void Idle(uint64_t deadline_ns) {
  World& world = TheWorld();
  World::Parking& parking = world.parking[this_slot->index];
  std::unique_lock lock(world.mutex);
  ++world.counts.idles;
  WaitUntil(parking, lock, deadline_ns, [&] { return parking.woken; });
  parking.woken = false;
}

size_t Wait(std::span<const Watch> watch, bool, std::span<Ready> ready, uint64_t deadline_ns) {
  World& world = TheWorld();
  World::Parking& parking = world.parking[this_slot->index];
  std::unique_lock lock(world.mutex);
  constexpr uint32_t kReadable = 1, kWritable = 4;  // POLLIN, POLLOUT
  size_t count = 0;
  WaitUntil(parking, lock, deadline_ns, [&] {
    for (const Watch& asked : watch) {
      const uint32_t source = static_cast<uint32_t>(asked.stream);
      if (world.ready[source] && count < ready.size()) {
        ready[count++] = {.source = source, .events = asked.for_write ? kWritable : kReadable};
      }
    }
    return count != 0 || parking.woken;
  });
  parking.woken = false;
  return count;
}

void WakeVcpu(uint32_t slot) {
  World& world = TheWorld();
  std::lock_guard lock(world.mutex);
  ++world.counts.wakes;
  world.parking[slot].woken = true;
  world.parking[slot].changed.notify_all();
}

Result<void, Errno> StartVcpu(uint32_t slot) {
  World& world = TheWorld();
  {
    std::lock_guard lock(world.mutex);
    ++world.counts.starts;
  }
  std::thread([slot] {
    this_slot = &slots[slot];
    this_slot->index = slot;
    InitCpu(0);
    RunIdle();
  }).detach();
  return {};
}

void SetTick(uint32_t) {
  std::lock_guard lock(TheWorld().mutex);
  ++TheWorld().counts.ticks_set;
}

uint64_t WallClock() { return 1'700'000'000ull * kNanosecondsPerSecond; }

void Log(LogLevel, std::span<const char> line) { fwrite(line.data(), 1, line.size(), stderr); }

[[noreturn]] void Done(uint32_t kind, uint32_t code) {
  fflush(stderr);
  _exit(kind == NSGX_DONE_EXIT ? static_cast<int>(code) : 71);
}

}  // namespace host

namespace testing {
namespace {

// What a spawned thread runs is handed over where its calls would be recorded.
void RunSpawned(Thread& thread) {
  auto* body = reinterpret_cast<std::function<void()>*>(thread.record().a1);
  (*body)();
  delete body;
  ExitCurrentThread(0);
}

void RunBody(Thread&) {
  TheWorld().body();
  ExitProcess(0);
}

}  // namespace

void RunWorld(uint32_t cpus, std::function<void()> body) {
  // Whatever goes wrong, the test ends.
  std::thread([] {
    sleep(50);
    fprintf(stderr, "the world hangs\n");
    _exit(72);
  }).detach();
  static FakeRange* range = new FakeRange(uint64_t{512} << 20);
  SetUserRange(0, ~uint64_t{0});
  this_slot = &slots[0];
  this_slot->index = 0;
  InitCpu(cpus);
  Memory().Init(range->begin(), range->begin(), range->end());
  CHECK(InitClock(0));
  TheWorld().body = std::move(body);
  Thread* first = MakeFirstThread().value();
  PrepareContext(*first, &RunBody);
  RunFirst(*first);
}

int32_t Spawn(std::function<void()> body) {
  Thread& thread = *AllocateThread().value();
  thread.record().a1 = reinterpret_cast<uint64_t>(new std::function<void()>(std::move(body)));
  PrepareContext(thread, &RunSpawned);
  EnterThread(thread);
  const int32_t tid = thread.tid;
  MakeRunnable(thread);
  RunDeferred();  // as on the way back from the call that made it
  return tid;
}

void Require(bool condition, const char* what) {
  if (!condition) {
    fprintf(stderr, "required: %s\n", what);
    _exit(1);
  }
}

HostCounts host_counts() {
  std::lock_guard lock(TheWorld().mutex);
  return TheWorld().counts;
}

void SetStreamReady(uint32_t stream, bool ready) {
  World& world = TheWorld();
  std::lock_guard lock(world.mutex);
  world.ready[stream] = ready;
  for (World::Parking& parking : world.parking) {
    parking.changed.notify_all();
  }
}

}  // namespace testing
}  // namespace nsgx::libos
