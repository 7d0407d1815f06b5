// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/clone.h"

#include <cstring>

#include "base/core/log.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/entry.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/stack_cache.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kCloneSigHand = 0x800,
                   kCloneThread = 0x10000, kCloneSetTls = 0x80000, kCloneParentSetTid = 0x100000,
                   kCloneChildClearTid = 0x200000, kCloneChildSetTid = 0x1000000;
// What a thread shares with its process; anything less would be another process.
constexpr uint64_t kThreadFlags = kCloneVm | kCloneFs | kCloneFiles | kCloneSigHand | kCloneThread;
constexpr uint64_t kSignalOnExit = 0xff;

constexpr int32_t kProtRead = 1, kProtWrite = 2;

// On the new thread's kernel stack. What it needs lies where its calls will be recorded.
void RunProgramThread(Thread& thread) {
  const SyscallRecord begin = thread.record();
  if (begin.a4 != 0) {
    // CLONE_CHILD_SETTID: a bad address is the program's own affair.
    static_cast<void>(Write(UserOut<int32_t>(begin.a4), thread.tid).ok());
  }
  libos_start_program_thread(begin.a1, begin.a2, begin.a3);
}

void RunRawThread(Thread& thread) { libos_resume_program(thread.raw_frame); }

// Copies the frame of the caller's raw call below the record of `thread`; there it is its first and
// only one.
void InheritRawFrame(Thread& thread, const nsgx_frame& frame, uint64_t stack) {
  const uint64_t place =
      (thread.kernel_stack_top() - LIBOS_RECORD_SIZE - libos_frame_size) & ~uint64_t{63};
  nsgx_frame* copy = reinterpret_cast<nsgx_frame*>(place);
  memcpy(static_cast<void*>(copy), &frame, libos_frame_size);
  copy->rax = 0;
  copy->rsp = stack;
  thread.raw_frame = copy;
}

void TellOnce(const char* what) {
  static constinit std::atomic<bool> told{false};
  if (!told.exchange(true)) {
    LOG(kWarning, what, " is refused: an enclave is one process, see docs/threads.md");
  }
}

}  // namespace

Result<int32_t, Errno> CloneThread(const CloneRequest& request) {
  if ((request.flags & kThreadFlags) != kThreadFlags || (request.flags & kSignalOnExit) != 0) {
    TellOnce("starting another process");
    return Error(Errno::kENOSYS);
  }
  if (request.stack == 0) {
    return Error(Errno::kEINVAL);
  }
  Thread& self = CurrentThread();
  if (request.start == 0 && self.raw_frame == nullptr) {
    return Error(
        Errno::kENOSYS);  // clone by a call: there is nothing that the new thread could return to
  }
  Thread& thread = *TRY(AllocateThread());
  memcpy(thread.name, self.name, sizeof(thread.name));
  thread.blocked.store(self.blocked.load(std::memory_order_relaxed), std::memory_order_relaxed);
  thread.wishes = self.wishes;
  if (thread.wishes.reset_on_fork) {
    thread.wishes.policy = thread.wishes.priority = 0;
    thread.wishes.reset_on_fork = false;
  }
  thread.fs_base = (request.flags & kCloneSetTls) != 0 ? request.thread_pointer : ReadFsBase();
  if ((request.flags & kCloneChildClearTid) != 0) {
    thread.clear_child_tid = request.child_tid;
  }
  if (request.start != 0) {
    thread.record() = {};
    thread.record().a1 = request.start;
    thread.record().a2 = request.argument;
    thread.record().a3 = request.stack;
    thread.record().a4 = (request.flags & kCloneChildSetTid) != 0 ? request.child_tid : 0;
    PrepareContext(thread, &RunProgramThread);
  } else {
    InheritRawFrame(thread, *self.raw_frame, request.stack);
    PrepareContextBelow(thread, reinterpret_cast<uint64_t>(thread.raw_frame), &RunRawThread);
  }
  ThreadStacks().NoticeTop({.base = self.taken_stack, .size = self.taken_stack_size, .guard = 0},
                           request.stack);

  EnterThread(thread);
  const int32_t tid = thread.tid;  // once it runs it may be gone
  if ((request.flags & kCloneParentSetTid) != 0) {
    static_cast<void>(Write(UserOut<int32_t>(request.parent_tid), tid).ok());
  }
  MakeRunnable(thread);
  return tid;
}

SysResult SysClone(uint64_t flags, uint64_t stack, UserOut<int32_t> parent_tid,
                   UserOut<int32_t> child_tid, uint64_t thread_pointer) {
  return TRY(CloneThread({.flags = flags,
                          .parent_tid = parent_tid.address(),
                          .child_tid = child_tid.address(),
                          .thread_pointer = thread_pointer,
                          .stack = stack,
                          .start = 0,
                          .argument = 0}));
}

SysResult SysClone3(UserIn<std::byte> arguments, size_t size) {
  // struct clone_args, the first published size; what came later is for processes.
  struct Arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, thread_pointer;
  };
  constexpr size_t kPage = 4096;
  if (size > kPage) {
    return Error(Errno::kE2BIG);
  }
  if (size < sizeof(Arguments)) {
    return Error(Errno::kEINVAL);
  }
  const Arguments wanted = TRY(Read(UserIn<Arguments>(arguments.address())));
  for (size_t i = sizeof(Arguments); i < size; ++i) {
    if (TRY(Read(UserIn<uint8_t>(arguments.address()), i)) != 0) {
      return Error(Errno::kE2BIG);
    }
  }
  if ((wanted.stack == 0) != (wanted.stack_size == 0) || (wanted.flags & kSignalOnExit) != 0) {
    return Error(Errno::kEINVAL);
  }
  return TRY(CloneThread({.flags = wanted.flags | wanted.exit_signal,
                          .parent_tid = wanted.parent_tid,
                          .child_tid = wanted.child_tid,
                          .thread_pointer = wanted.thread_pointer,
                          .stack = wanted.stack + wanted.stack_size,
                          .start = 0,
                          .argument = 0}));
}

Result<Thread*, Errno> MakeFirstThread() {
  Thread* thread = TRY(AllocateThread());
  EnterThread(*thread);
  return thread;
}

// ---- stacks
// ---------------------------------------------------------------------------------------------------

Result<uint64_t, Errno> TakeThreadStack(uint64_t size, int32_t protection) {
  Thread& self = CurrentThread();
  StackCache::Stack stack = TRY(ThreadStacks().Take(size));
  if (protection == (kProtRead | kProtWrite) && stack.guard != 0) {
    TRY(ThreadStacks().SetGuard(stack, 0));
  }
  self.taken_stack = stack.base;
  self.taken_stack_size = stack.size;
  self.taken_stack_guard = stack.guard;
  return stack.base;
}

Result<void, Errno> ProtectThreadStack(uint64_t address, uint64_t size, int32_t protection) {
  Thread& self = CurrentThread();
  if (protection != (kProtRead | kProtWrite) ||
      address + size != self.taken_stack + self.taken_stack_size || address < self.taken_stack) {
    return Error(Errno::kEINVAL);
  }
  StackCache::Stack stack = {
      .base = self.taken_stack, .size = self.taken_stack_size, .guard = self.taken_stack_guard};
  TRY(ThreadStacks().SetGuard(stack, address - self.taken_stack));
  self.taken_stack_guard = stack.guard;
  return {};
}

Result<void, Errno> GiveThreadStack(uint64_t address, uint64_t size) {
  return ThreadStacks().Give(address, size);
}

}  // namespace nsgx::libos
