// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "libos/kernel/cpu.h"
#include "libos/kernel/futex.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/user_access.h"

namespace nsgx::libos {

SysResult SysExit(int32_t status) { ExitCurrentThread(status); }
SysResult SysExitGroup(int32_t status) { ExitProcess(status); }
SysResult SysGettid() { return CurrentThread().tid; }

SysResult SysSetTidAddress(uint64_t address) {
  CurrentThread().clear_child_tid = address;
  return CurrentThread().tid;
}

namespace {
constexpr size_t kRobustHeadSize = 24;
}  // namespace

SysResult SysSetRobustList(uint64_t head, size_t size) {
  if (size != kRobustHeadSize) {
    return Error(Errno::kEINVAL);
  }
  CurrentThread().robust_list = head;
  return 0;
}

SysResult SysGetRobustList(int32_t tid, UserOut<uint64_t> head, UserOut<uint64_t> size) {
  uint64_t found = CurrentThread().robust_list;
  if (tid != 0) {
    TRY(WithThread(
        tid,
        [](Thread& thread, void* context) -> Result<void, Errno> {
          *static_cast<uint64_t*>(context) = thread.robust_list;
          return {};
        },
        &found));
  }
  TRY(Write(head, found));
  TRY(Write(size, uint64_t{kRobustHeadSize}));
  return 0;
}

// ---- futex
// ----------------------------------------------------------------------------------------------------

SysResult SysFutex(uint64_t address, uint32_t operation, uint32_t value, uint64_t timeout_or_count,
                   uint64_t second_address, uint32_t third_value) {
  enum : uint32_t {
    kWait = 0,
    kWake = 1,
    kRequeue = 3,
    kCmpRequeue = 4,
    kWakeOp = 5,
    kWaitBitset = 9,
    kWakeBitset = 10
  };
  constexpr uint32_t kPrivate = 128, kClockRealtime = 256;
  const uint32_t command = operation & ~(kPrivate | kClockRealtime);
  const bool wall_clock = (operation & kClockRealtime) != 0;
  switch (command) {
    case kWait:
    case kWaitBitset: {
      Deadline deadline = kForever;
      if (timeout_or_count != 0) {
        const uint64_t time =
            TRY(FromTimespec(TRY(Read(UserIn<KernelTimespec>(timeout_or_count)))));
        if (command == kWait) {
          deadline =
              DeadlineAfter(time);  // relative; by the monotonic clock, whatever is asked for
        } else if (wall_clock) {
          const uint64_t now = WallClockNow();
          deadline = DeadlineAfter(time > now ? time - now : 0);
        } else {
          deadline = time;
        }
      }
      TRY(FutexWait(address, value, command == kWait ? kFutexMatchAny : third_value, deadline));
      return 0;
    }
    case kWake:
      return FutexWake(address, value);
    case kWakeBitset:
      if (third_value == 0) {
        return Error(Errno::kEINVAL);
      }
      return FutexWake(address, value, third_value);
    case kRequeue:
      return TRY(FutexRequeue(address, value, second_address,
                              static_cast<uint32_t>(timeout_or_count), nullptr));
    case kCmpRequeue:
      return TRY(FutexRequeue(address, value, second_address,
                              static_cast<uint32_t>(timeout_or_count), &third_value));
    case kWakeOp:
      return TRY(FutexWakeOperation(address, value, second_address,
                                    static_cast<uint32_t>(timeout_or_count), third_value));
    default:
      // Priority inheritance: all threads are scheduled alike, and the C library reports that it is
      // not there.
      return Error(Errno::kENOSYS);
  }
}

// ---- scheduling: accepted, answered, without effect
// ---------------------------------------------------------------

namespace {

enum : int32_t { kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5 };
constexpr int32_t kResetOnFork = 0x40000000;

Result<void, Errno> CheckThread(int32_t tid) {
  if (tid < 0) {
    return Error(Errno::kEINVAL);
  }
  if (tid == 0) {
    return {};
  }
  return WithThread(tid, [](Thread&, void*) -> Result<void, Errno> { return {}; }, nullptr);
}

}  // namespace

SysResult SysSchedYield() {
  Yield();
  return 0;
}

SysResult SysSchedGetaffinity(int32_t tid, uint32_t size, UserOut<uint64_t> mask) {
  TRY(CheckThread(tid));
  const uint32_t count = MaximumCpus();
  const uint32_t words = (count + 63) / 64;
  if (size % sizeof(uint64_t) != 0 || size < words * sizeof(uint64_t)) {
    return Error(Errno::kEINVAL);
  }
  for (uint32_t word = 0; word < words; ++word) {
    const uint32_t left = count - word * 64;
    TRY(Write(mask, left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1, word));
  }
  return static_cast<int64_t>(words * sizeof(uint64_t));
}

SysResult SysSchedSetaffinity(int32_t tid, uint32_t size, UserIn<uint64_t> mask) {
  TRY(CheckThread(tid));
  // Threads go where there is room. What names no vCPU at all is an error all the same.
  const uint32_t count = MaximumCpus();
  for (uint32_t word = 0; word < size / sizeof(uint64_t) && word * 64 < count; ++word) {
    const uint32_t left = count - word * 64;
    const uint64_t existing = left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
    if ((TRY(Read(mask, word)) & existing) != 0) {
      return 0;
    }
  }
  return Error(Errno::kEINVAL);
}

SysResult SysSchedGetparam(int32_t tid, UserOut<int32_t> priority) {
  TRY(CheckThread(tid));
  TRY(Write(priority, 0));
  return 0;
}

SysResult SysSchedSetparam(int32_t tid, UserIn<int32_t> priority) {
  TRY(CheckThread(tid));
  if (TRY(Read(priority)) != 0) {
    return Error(Errno::kEINVAL);  // of SCHED_OTHER
  }
  return 0;
}

SysResult SysSchedGetscheduler(int32_t tid) {
  TRY(CheckThread(tid));
  return kOther;
}

SysResult SysSchedSetscheduler(int32_t tid, int32_t policy, UserIn<int32_t> priority) {
  TRY(CheckThread(tid));
  switch (policy & ~kResetOnFork) {
    case kOther:
    case kBatch:
    case kIdle:
      return TRY(Read(priority)) == 0 ? SysResult(0) : Error(Errno::kEINVAL);
    case kFifo:
    case kRoundRobin:
      return Error(Errno::kEPERM);  // real-time priorities need a privilege
    default:
      return Error(Errno::kEINVAL);
  }
}

SysResult SysSchedGetPriorityMax(int32_t policy) {
  switch (policy) {
    case kFifo:
    case kRoundRobin:
      return 99;
    case kOther:
    case kBatch:
    case kIdle:
      return 0;
    default:
      return Error(Errno::kEINVAL);
  }
}

SysResult SysSchedGetPriorityMin(int32_t policy) {
  switch (policy) {
    case kFifo:
    case kRoundRobin:
      return 1;
    case kOther:
    case kBatch:
    case kIdle:
      return 0;
    default:
      return Error(Errno::kEINVAL);
  }
}

SysResult SysSchedRrGetInterval(int32_t tid, UserOut<KernelTimespec> interval) {
  TRY(CheckThread(tid));
  TRY(Write(interval, KernelTimespec{.seconds = 0, .nanoseconds = 2'000'000}));
  return 0;
}

SysResult SysGetpriority(int32_t which, int32_t) {
  if (which < 0 || which > 2) {
    return Error(Errno::kEINVAL);
  }
  return 20;  // nice 0, as the system call has it
}

SysResult SysSetpriority(int32_t which, int32_t, int32_t value) {
  if (which < 0 || which > 2) {
    return Error(Errno::kEINVAL);
  }
  return value >= 0 ? SysResult(0) : Error(Errno::kEACCES);
}

SysResult SysGetcpu(UserOut<uint32_t> cpu, UserOut<uint32_t> node) {
  if (!cpu.is_null()) {
    TRY(Write(cpu, ThisCpu().index));
  }
  if (!node.is_null()) {
    TRY(Write(node, uint32_t{0}));
  }
  return 0;
}

SysResult SysMembarrier(int32_t command, uint32_t, int32_t) {
  // There is no way to make another vCPU pass a barrier at once; callers have another way.
  return command == 0 ? SysResult(0) : Error(Errno::kEINVAL);
}

// ---- odds and ends of a thread
// --------------------------------------------------------------------------------

SysResult SysArchPrctl(int32_t operation, uint64_t address) {
  enum : int32_t { kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004 };
  switch (operation) {
    case kSetFs:
      WriteFsBase(address);
      return 0;
    case kGetFs:
      TRY(Write(UserOut<uint64_t>(address), ReadFsBase()));
      return 0;
    case kSetGs:
    case kGetGs:
      return Error(Errno::kEPERM);  // the GS base is the enclave's own
    default:
      return Error(Errno::kEINVAL);
  }
}

SysResult SysPrctl(int32_t operation, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  enum : int32_t {
    kSetPdeathsig = 1,
    kGetPdeathsig = 2,
    kGetDumpable = 3,
    kSetDumpable = 4,
    kGetKeepCaps = 7,
    kSetName = 15,
    kGetName = 16,
    kGetSeccomp = 21,
    kCapBsetRead = 23,
    kSetTimerSlack = 29,
    kGetTimerSlack = 30,
    kSetNoNewPrivs = 38,
    kGetNoNewPrivs = 39,
    kSetThpDisable = 41,
    kGetThpDisable = 42,
    kSetVma = 0x53564d41,
  };
  Thread& self = CurrentThread();
  switch (operation) {
    case kSetName: {
      char name[sizeof(self.name)];
      auto length = CopyStringFromUser(name, a2);
      if (!length.ok() && length.error() == Errno::kEFAULT) {
        return Error(Errno::kEFAULT);
      }
      // A longer name is cut.
      const size_t kept = length.ok() ? length.value() : sizeof(name) - 1;
      memset(self.name, 0, sizeof(self.name));
      memcpy(self.name, name, kept);
      return 0;
    }
    case kGetName:
      TRY(CopyToUser(a2, std::as_bytes(std::span(self.name))));
      return 0;
    case kGetDumpable:
    case kGetPdeathsig:
    case kGetKeepCaps:
    case kGetSeccomp:
    case kCapBsetRead:
    case kGetThpDisable:
      if (operation == kGetPdeathsig) {
        TRY(Write(UserOut<int32_t>(a2), 0));
      }
      return 0;
    case kSetPdeathsig:
    case kSetDumpable:
    case kSetTimerSlack:
    case kSetThpDisable:
    case kSetVma:
      return 0;
    case kGetTimerSlack:
      return 50'000;
    case kSetNoNewPrivs:
      return a2 == 1 && a3 == 0 && a4 == 0 && a5 == 0 ? SysResult(0) : Error(Errno::kEINVAL);
    case kGetNoNewPrivs:
      return 1;  // nothing in an enclave can gain privileges
    default:
      return Error(Errno::kEINVAL);
  }
}

}  // namespace nsgx::libos
