// SPDX-License-Identifier: Apache-2.0
// Scheduling as the program wishes it: kept for each thread and told again. All threads take turns
// alike, on whichever vCPU has room.
#include <algorithm>
#include <cstring>

#include "libos/kernel/cpu.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/syscalls.h"
#include "libos/vfs/credentials.h"

namespace nsgx::libos {
namespace {

enum : int32_t { kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5 };
constexpr int32_t kResetOnFork = 0x40000000;
constexpr int32_t kMaxPriority = 99;
constexpr int32_t kLowestNice = -20, kHighestNice = 19;

bool IsRealTime(int32_t policy) { return policy == kFifo || policy == kRoundRobin; }
bool IsKnown(int32_t policy) {
  return IsRealTime(policy) || policy == kOther || policy == kBatch || policy == kIdle;
}
bool IsRoot() { return process_credentials.effective.is_root(); }

// The wishes of thread `tid`, 0: the caller. EINVAL: negative; ESRCH.
Result<SchedulingWishes, Errno> WishesOf(int32_t tid) {
  if (tid < 0) {
    return Error(Errno::kEINVAL);
  }
  if (tid == 0) {
    return CurrentThread().wishes;
  }
  SchedulingWishes wishes;
  TRY(WithThread(
      tid,
      [](Thread& thread, void* context) -> Result<void, Errno> {
        *static_cast<SchedulingWishes*>(context) = thread.wishes;
        return {};
      },
      &wishes));
  return wishes;
}

Result<void, Errno> Wish(int32_t tid, SchedulingWishes wishes) {
  return WithThread(
      tid == 0 ? CurrentThread().tid : tid,
      [](Thread& thread, void* context) -> Result<void, Errno> {
        thread.wishes = *static_cast<const SchedulingWishes*>(context);
        return {};
      },
      &wishes);
}

// EINVAL: no such policy, or no priority of it. EPERM: real time is root's.
Result<void, Errno> SetPolicy(SchedulingWishes& wishes, int32_t policy, int32_t priority) {
  if (!IsKnown(policy) || priority < 0 || priority > kMaxPriority ||
      IsRealTime(policy) != (priority != 0)) {
    return Error(Errno::kEINVAL);
  }
  if (IsRealTime(policy) && !IsRoot()) {
    return Error(Errno::kEPERM);
  }
  wishes.policy = policy;
  wishes.priority = priority;
  return {};
}

// Words of an affinity mask that mean anything, and what vCPUs there are in one.
uint32_t MaskWords() { return (MaximumCpus() + 63) / 64; }
uint64_t ExistingIn(uint32_t word) {
  const uint32_t left = MaximumCpus() - word * 64;
  return left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
}

}  // namespace

SysResult SysSchedYield() {
  Yield();
  return 0;
}

SysResult SysSchedGetaffinity(int32_t tid, uint32_t size, UserOut<uint64_t> mask) {
  if (size % sizeof(uint64_t) != 0 || size < MaskWords() * sizeof(uint64_t)) {
    return Error(Errno::kEINVAL);
  }
  const SchedulingWishes wishes =
      TRY(tid < 0 ? Result<SchedulingWishes, Errno>(Error(Errno::kESRCH)) : WishesOf(tid));
  for (uint32_t word = 0; word < MaskWords(); ++word) {
    TRY(Write(mask, wishes.affinity[word] & ExistingIn(word), word));
  }
  return static_cast<int64_t>(MaskWords() * sizeof(uint64_t));
}

SysResult SysSchedSetaffinity(int32_t tid, uint32_t size, UserIn<uint64_t> mask) {
  // Bytes that are not given are zero.
  uint64_t given[std::size(SchedulingWishes().affinity)] = {};
  TRY(CopyFromUser(std::as_writable_bytes(std::span(given))
                       .first(std::min<size_t>(size, MaskWords() * sizeof(uint64_t))),
                   mask.address()));
  SchedulingWishes wishes =
      TRY(tid < 0 ? Result<SchedulingWishes, Errno>(Error(Errno::kESRCH)) : WishesOf(tid));
  bool is_empty = true;
  for (uint32_t word = 0; word < MaskWords(); ++word) {
    wishes.affinity[word] = given[word];
    is_empty = is_empty && (given[word] & ExistingIn(word)) == 0;
  }
  if (is_empty) {
    return Error(Errno::kEINVAL);
  }
  TRY(Wish(tid, wishes));
  return 0;
}

SysResult SysSchedGetparam(int32_t tid, UserOut<int32_t> priority) {
  if (priority.is_null()) {
    return Error(Errno::kEINVAL);
  }
  TRY(Write(priority, TRY(WishesOf(tid)).priority));
  return 0;
}

SysResult SysSchedSetparam(int32_t tid, UserIn<int32_t> priority) {
  if (priority.is_null()) {
    return Error(Errno::kEINVAL);
  }
  const int32_t wanted = TRY(Read(priority));
  SchedulingWishes wishes = TRY(WishesOf(tid));
  TRY(SetPolicy(wishes, wishes.policy, wanted));
  TRY(Wish(tid, wishes));
  return 0;
}

SysResult SysSchedGetscheduler(int32_t tid) {
  const SchedulingWishes wishes = TRY(WishesOf(tid));
  return wishes.policy | (wishes.reset_on_fork ? kResetOnFork : 0);
}

SysResult SysSchedSetscheduler(int32_t tid, int32_t policy, UserIn<int32_t> priority) {
  if (policy < 0 || tid < 0 || priority.is_null()) {
    return Error(Errno::kEINVAL);
  }
  const int32_t wanted = TRY(Read(priority));
  SchedulingWishes wishes = TRY(WishesOf(tid));
  TRY(SetPolicy(wishes, policy & ~kResetOnFork, wanted));
  wishes.reset_on_fork = (policy & kResetOnFork) != 0;
  TRY(Wish(tid, wishes));
  return 0;
}

namespace {

// struct sched_attr, both published sizes.
struct SchedulingAttributes {
  uint32_t size;
  int32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t least_utilization, most_utilization;
};
static_assert(sizeof(SchedulingAttributes) == 56);
constexpr uint32_t kFirstAttributesSize = 48;
constexpr uint32_t kPage = 4096;
constexpr uint64_t kAttributeResetOnFork = 1, kAttributeKeepPolicy = 8,
                   kAttributeKeepParameters = 16;

// E2BIG: it is longer than what is known here, and the rest is not zero.
Result<SchedulingAttributes, Errno> ReadAttributes(UserOut<std::byte> at) {
  uint32_t size = TRY(Read(UserIn<uint32_t>(at.address())));
  size = size == 0 ? kFirstAttributesSize : size;
  bool fits = size >= kFirstAttributesSize && size <= kPage;
  for (uint32_t i = sizeof(SchedulingAttributes); fits && i < size; ++i) {
    fits = TRY(Read(UserIn<uint8_t>(at.address()), i)) == 0;
  }
  if (!fits) {
    TRY(Write(UserOut<uint32_t>(at.address()), uint32_t{sizeof(SchedulingAttributes)}));
    return Error(Errno::kE2BIG);
  }
  SchedulingAttributes attributes = {};
  TRY(CopyFromUser(std::as_writable_bytes(std::span(&attributes, 1))
                       .first(std::min<size_t>(size, sizeof(attributes))),
                   at.address()));
  return attributes;
}

}  // namespace

SysResult SysSchedSetattr(int32_t tid, UserOut<std::byte> at, uint32_t flags) {
  if (at.is_null() || tid < 0 || flags != 0) {
    return Error(Errno::kEINVAL);
  }
  const SchedulingAttributes attributes = TRY(ReadAttributes(at));
  constexpr uint64_t kKnown =
      kAttributeResetOnFork | kAttributeKeepPolicy | kAttributeKeepParameters;
  if (attributes.policy < 0 || (attributes.flags & ~kKnown) != 0) {
    return Error(Errno::kEINVAL);
  }
  SchedulingWishes wishes = TRY(WishesOf(tid));
  const bool keeps_parameters = (attributes.flags & kAttributeKeepParameters) != 0;
  const int32_t policy =
      (attributes.flags & kAttributeKeepPolicy) != 0 ? wishes.policy : attributes.policy;
  TRY(SetPolicy(wishes, policy,
                keeps_parameters ? wishes.priority : static_cast<int32_t>(attributes.priority)));
  if (!keeps_parameters && !IsRealTime(policy)) {
    const int32_t nice = std::clamp(attributes.nice, kLowestNice, kHighestNice);
    if (nice < wishes.nice && !IsRoot()) {
      return Error(Errno::kEPERM);
    }
    wishes.nice = nice;
  }
  wishes.reset_on_fork = (attributes.flags & kAttributeResetOnFork) != 0;
  TRY(Wish(tid, wishes));
  return 0;
}

SysResult SysSchedGetattr(int32_t tid, UserOut<std::byte> at, uint32_t size, uint32_t flags) {
  if (at.is_null() || tid < 0 || size < kFirstAttributesSize || size > kPage || flags != 0) {
    return Error(Errno::kEINVAL);
  }
  const SchedulingWishes wishes = TRY(WishesOf(tid));
  const uint32_t told = std::min<uint32_t>(size, sizeof(SchedulingAttributes));
  SchedulingAttributes attributes = {};
  attributes.size = told;
  attributes.policy = wishes.policy;
  attributes.flags = wishes.reset_on_fork ? kAttributeResetOnFork : 0;
  attributes.nice = IsRealTime(wishes.policy) ? 0 : wishes.nice;
  attributes.priority = static_cast<uint32_t>(wishes.priority);
  attributes.most_utilization = 1024;
  TRY(CopyToUser(at.address(), std::as_bytes(std::span(&attributes, 1)).first(told)));
  return 0;
}

SysResult SysSchedGetPriorityMax(int32_t policy) {
  if (!IsKnown(policy)) {
    return Error(Errno::kEINVAL);
  }
  return IsRealTime(policy) ? kMaxPriority : 0;
}

SysResult SysSchedGetPriorityMin(int32_t policy) {
  if (!IsKnown(policy)) {
    return Error(Errno::kEINVAL);
  }
  return IsRealTime(policy) ? 1 : 0;
}

SysResult SysSchedRrGetInterval(int32_t tid, UserOut<KernelTimespec> interval) {
  static_cast<void>(TRY(WishesOf(tid)));
  TRY(Write(interval, KernelTimespec{.seconds = 0, .nanoseconds = 2'000'000}));
  return 0;
}

// ---- nice values

namespace {

enum : int32_t { kOneProcess = 0, kProcessGroup = 1, kUser = 2 };

// The thread that a call about nice values means: Linux keeps one for each, and so do we. The group
// and the user are this process, whose first thread stands for it.
Result<int32_t, Errno> ThreadFor(int32_t which, int32_t who) {
  switch (which) {
    case kOneProcess:
      return who;
    case kProcessGroup:
      return who == 0 || who == kProcessId ? Result<int32_t, Errno>(0) : Error(Errno::kESRCH);
    case kUser:
      return who == 0 || static_cast<uint32_t>(who) == process_credentials.real.user
                 ? Result<int32_t, Errno>(0)
                 : Error(Errno::kESRCH);
    default:
      return Error(Errno::kEINVAL);
  }
}

Result<SchedulingWishes, Errno> NiceWishesOf(int32_t tid) {
  return tid < 0 ? Result<SchedulingWishes, Errno>(Error(Errno::kESRCH)) : WishesOf(tid);
}

}  // namespace

SysResult SysGetpriority(int32_t which, int32_t who) {
  const int32_t tid = TRY(ThreadFor(which, who));
  return 20 - TRY(NiceWishesOf(tid)).nice;  // as the system call has it
}

SysResult SysSetpriority(int32_t which, int32_t who, int32_t value) {
  const int32_t tid = TRY(ThreadFor(which, who));
  SchedulingWishes wishes = TRY(NiceWishesOf(tid));
  const int32_t nice = std::clamp(value, kLowestNice, kHighestNice);
  if (nice < wishes.nice && !IsRoot()) {
    return Error(Errno::kEACCES);
  }
  wishes.nice = nice;
  TRY(Wish(tid, wishes));
  return 0;
}

// ---- processors

SysResult SysGetcpu(UserOut<uint32_t> cpu, UserOut<uint32_t> node) {
  if (!cpu.is_null()) {
    TRY(Write(cpu, ThisCpu().index));
  }
  if (!node.is_null()) {
    TRY(Write(node, uint32_t{0}));
  }
  return 0;
}

SysResult SysMembarrier(int32_t command, uint32_t flags, int32_t) {
  enum : int32_t {
    kQuery = 0,
    kGlobal = 1,
    kGlobalExpedited = 2,
    kRegisterGlobalExpedited = 4,
    kPrivateExpedited = 8,
    kRegisterPrivateExpedited = 16,
    kGetRegistrations = 512,
  };
  // What the process has said that it will use. Nothing depends on it but that a use without it is
  // an error.
  static constinit std::atomic<int32_t> registered{0};
  if (flags != 0) {
    return Error(Errno::kEINVAL);
  }
  switch (command) {
    case kQuery:
      return kGlobal | kGlobalExpedited | kRegisterGlobalExpedited | kPrivateExpedited |
             kRegisterPrivateExpedited | kGetRegistrations;
    case kRegisterGlobalExpedited:
    case kRegisterPrivateExpedited:
      registered.fetch_or(command);
      return 0;
    case kGetRegistrations:
      return registered.load();
    case kPrivateExpedited:
      if ((registered.load() & kRegisterPrivateExpedited) == 0) {
        return Error(Errno::kEPERM);
      }
      [[fallthrough]];
    case kGlobal:
    case kGlobalExpedited:
      PassBarrierEverywhere();
      return 0;
    default:
      return Error(Errno::kEINVAL);
  }
}

// ---- of input and output: kept as well

namespace {

enum : int32_t { kIoProcess = 1, kIoGroup = 2, kIoUser = 3 };
constexpr int32_t kIoClassShift = 13;

// The thread that is meant: the group and the user have the same process. EINVAL, ESRCH.
Result<int32_t, Errno> IoTarget(int32_t which, int32_t who) {
  switch (which) {
    case kIoProcess:
      return who;
    case kIoGroup:
      return who == 0 || who == kProcessId ? Result<int32_t, Errno>(kProcessId)
                                           : Error(Errno::kESRCH);
    case kIoUser:
      return static_cast<uint32_t>(who) == process_credentials.real.user
                 ? Result<int32_t, Errno>(kProcessId)
                 : Error(Errno::kESRCH);
    default:
      return Error(Errno::kEINVAL);
  }
}

// EINVAL: no such class or level. EPERM: real time is root's.
Result<void, Errno> CheckIoPriority(int32_t priority) {
  enum : int32_t { kNone = 0, kRealTimeClass = 1, kBestEffort = 2, kIdleClass = 3 };
  constexpr int32_t kLevels = 8;  // what lies above are hints
  switch (priority >> kIoClassShift) {
    case kRealTimeClass:
      return IsRoot() ? Result<void, Errno>() : Error(Errno::kEPERM);
    case kBestEffort:
    case kIdleClass:
      return {};
    case kNone:
      return priority % kLevels == 0 ? Result<void, Errno>() : Error(Errno::kEINVAL);
    default:
      return Error(Errno::kEINVAL);
  }
}

}  // namespace

SysResult SysIoprioSet(int32_t which, int32_t who, int32_t priority) {
  TRY(CheckIoPriority(priority));
  const int32_t tid = TRY(IoTarget(which, who));
  SchedulingWishes wishes =
      TRY(tid < 0 ? Result<SchedulingWishes, Errno>(Error(Errno::kESRCH)) : WishesOf(tid));
  wishes.io_priority = priority;
  TRY(Wish(tid, wishes));
  return 0;
}

SysResult SysIoprioGet(int32_t which, int32_t who) {
  const int32_t tid = TRY(IoTarget(which, who));
  return TRY(tid < 0 ? Result<SchedulingWishes, Errno>(Error(Errno::kESRCH)) : WishesOf(tid))
      .io_priority;
}

}  // namespace nsgx::libos
