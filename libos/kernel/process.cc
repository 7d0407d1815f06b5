// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/process.h"

#include <atomic>

#include "base/core/check.h"
#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/count_report.h"
#include "libos/kernel/futex.h"
#include "libos/kernel/futex_lock.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/address_space.h"
#include "vmpl-switch/abi/gate.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kTableSize = 256;
constexpr int32_t kMaxThreadId = 4'194'304;  // as Linux's largest pid_max

using ThreadList = IntrusiveList<Thread, ThreadTableTag>;

// Threads by number modulo kTableSize. Numbers are not used again before all have been used once.
constinit SpinLock table_lock;
[[clang::no_destroy]] constinit ThreadList thread_table[kTableSize];
constinit uint32_t thread_count = 0;
constinit int32_t next_id = kProcessId;

ThreadList& ListFor(int32_t tid) { return thread_table[static_cast<uint32_t>(tid) % kTableSize]; }

Thread* Find(int32_t tid) REQUIRES(table_lock) {
  for (Thread& thread : ListFor(tid)) {
    if (thread.tid == tid) {
      return &thread;
    }
  }
  return nullptr;
}

constinit ProgramFacts program = {};

}  // namespace

const ProgramFacts& Program() { return program; }
void SetProgram(const ProgramFacts& facts) { program = facts; }

void EnterThread(Thread& thread) {
  SpinLockGuard guard(table_lock);
  int32_t tid = next_id;
  // A number is in use here only once all have been used.
  while (Find(tid) != nullptr) {
    tid = tid < kMaxThreadId ? tid + 1 : kProcessId + 1;
  }
  next_id = tid < kMaxThreadId ? tid + 1 : kProcessId + 1;
  thread.tid = tid;
  ListFor(tid).PushBack(thread);
  ++thread_count;
}

uint32_t RemoveThread(Thread& thread) {
  SpinLockGuard guard(table_lock);
  ListFor(thread.tid).Erase(thread);
  return --thread_count;
}

void ForEachThread(void (*each)(Thread& thread, void* context), void* context,
                   void (*last)(void* context)) {
  SpinLockGuard guard(table_lock);
  for (ThreadList& list : thread_table) {
    for (Thread& thread : list) {
      each(thread, context);
    }
  }
  last(context);
}

Result<void, Errno> WithThread(int32_t tid,
                               Result<void, Errno> (*found)(Thread& thread, void* context),
                               void* context) {
  SpinLockGuard guard(table_lock);
  Thread* thread = Find(tid);
  if (thread == nullptr) {
    return Error(Errno::kESRCH);
  }
  return found(*thread, context);
}

uint32_t ThreadCount() {
  SpinLockGuard guard(table_lock);
  return thread_count;
}

int32_t NextThreadId(int32_t after) {
  int32_t next = 0;
  SpinLockGuard guard(table_lock);
  for (ThreadList& list : thread_table) {
    for (const Thread& thread : list) {
      if (thread.tid > after && (next == 0 || thread.tid < next)) {
        next = thread.tid;
      }
    }
  }
  return next;
}

void ExitCurrentThread(int32_t status) {
  Thread& self = CurrentThread();
  ReleaseRobustFutexes(self);
  const uint64_t clear = self.clear_child_tid;
  const uint32_t left = RemoveThread(self);
  AbandonAllFutexLocks(self);
  DropPendingSignals(self);
  if (left == 0) {
    ExitProcess(status);
  }
  // The program's stack is not used any more: from here on somebody else may take it.
  if (clear != 0 && Write(UserOut<int32_t>(clear), 0).ok()) {
    FutexWake(clear, 1);
  }
  ExitThread();
}

void ExitProcess(int32_t status) {
  Memory().SynchronizeAll();
  ReportCounts();
  host::Done(NSGX_DONE_EXIT, static_cast<uint32_t>(status) & 0xff);
}

}  // namespace nsgx::libos
