// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/thread.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/core/addr_raw.h"
#include "base/core/check.h"
#include "base/core/log.h"
#include "vmpl-switch/sim/kernel.h"
#include "vmpl-switch/sim/linux_abi.h"
#include "vmpl-switch/sim/process.h"
#include "vmpl-switch/sim/signals.h"
#include "vmpl-switch/sim/syscall_trap.h"
#include "vmpl-switch/sim/vcpu_page.h"

namespace nsgx::sim {
namespace {

constinit thread_local ThreadBlock* t_block = nullptr;

constinit pthread_once_t g_key_once = PTHREAD_ONCE_INIT;
constinit pthread_key_t g_key = 0;

// The signals of this process that have a handler other than ours. Asked once: a call for each
// signal.
uint64_t ForeignHandlers() {
  uint64_t set = 0;
  for (uint64_t signal = 1; signal < kFirstRealTimeSignal; ++signal) {
    KernelAction action = {};
    if (kernel::Call(SYS_rt_sigaction, signal, 0, kernel::Word(&action), kSignalMaskSize) == 0 &&
        action.handler != kDefaultAction && action.handler != kIgnoreAction &&
        action.handler != SignalEntry()) {
      set |= uint64_t{1} << (signal - 1);
    }
  }
  return set;
}

void DeleteTimer(ThreadBlock& block) {
  if (block.timer >= 0) {
    kernel::Call(SYS_timer_delete, static_cast<uint64_t>(block.timer));
    block.timer = -1;
  }
}

void Detach(void* argument) {
  ThreadBlock* block = static_cast<ThreadBlock*>(argument);
  DeleteTimer(*block);
  if (block->vcpu != nullptr) {
    const SehAccess access;
    block->vcpu->block = nullptr;
  }
  DisarmSyscallTrap(CurrentProcess().trap);
  kernel::Call(SYS_sigaltstack, kernel::Word(&block->previous_stack), 0);
  t_block = nullptr;
  kernel::Unmap(block->room, 2 * SIM_BLOCK_SIZE);
}

}  // namespace

Result<ThreadBlock*> AttachThread() {
  if (t_block != nullptr) {
    return t_block;
  }
  const Process& process = CurrentProcess();
  // Twice the size has room for an aligned block. What is left over is never touched, so it costs
  // nothing.
  std::byte* room = TRY(kernel::Allocate(2 * SIM_BLOCK_SIZE, kernel::kNoKey));
  std::byte* memory =
      PointerTo<std::byte>(CheckedAlignUp(AddressOf<HostVirt>(room), SIM_BLOCK_SIZE).value());
  ThreadBlock* block = new (memory) ThreadBlock{};
  block->magic = SIM_BLOCK_MAGIC_VALUE;
  asm volatile("rdfsbase %0" : "=r"(block->host_fs));
  block->pkru_inside = process.pkru_inside;
  block->has_keys = process.has_keys() ? 1 : 0;
  block->timer = -1;
  block->room = room;

  static const uint64_t foreign = ForeignHandlers();
  kernel::Call(SYS_rt_sigprocmask, SIG_BLOCK, kernel::Word(&foreign), 0, kSignalMaskSize);
  const stack_t stack = {
      .ss_sp = memory + SIM_BLOCK_STACK_OFFSET, .ss_flags = 0, .ss_size = SIM_BLOCK_STACK_SIZE};
  CHECK(kernel::Call(SYS_sigaltstack, kernel::Word(&stack), kernel::Word(&block->previous_stack)) ==
        0);
  if (!ArmSyscallTrap(process.trap, *block)) {
    LOG(kWarning, "sim: Linux refused to trap raw system calls of this thread");
  }
  pthread_once(&g_key_once, [] { CHECK(pthread_key_create(&g_key, Detach) == 0); });
  CHECK(pthread_setspecific(g_key, block) == 0);
  t_block = block;
  return block;
}

Result<void> SetThreadTick(ThreadBlock& block, uint32_t microseconds) {
  if (microseconds == 0) {
    DeleteTimer(block);
    return {};
  }
  if (block.timer < 0) {
    KernelSigevent event = {};
    event.signal = kTickSignal;
    event.notify = kNotifyThread;
    event.thread = static_cast<int32_t>(kernel::Call(SYS_gettid));
    if (kernel::Call(SYS_timer_create, CLOCK_MONOTONIC, kernel::Word(&event),
                     kernel::Word(&block.timer)) != 0) {
      return Error(Status::kNoMemory);
    }
  }
  constexpr uint32_t kMicrosecondsPerSecond = 1'000'000;
  const timespec period = {.tv_sec = microseconds / kMicrosecondsPerSecond,
                           .tv_nsec = 1000L * (microseconds % kMicrosecondsPerSecond)};
  const itimerspec interval = {.it_interval = period, .it_value = period};
  CHECK(kernel::Call(SYS_timer_settime, static_cast<uint64_t>(block.timer), 0,
                     kernel::Word(&interval), 0) == 0);
  return {};
}

}  // namespace nsgx::sim
