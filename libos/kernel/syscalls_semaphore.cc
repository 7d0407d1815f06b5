// SPDX-License-Identifier: Apache-2.0
// System V semaphores. SEM_UNDO is accepted and has nothing to do: the semaphores end with the
// process.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "libos/kernel/clock.h"
#include "libos/kernel/linux_time.h"
#include "libos/kernel/process.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/system_v.h"
#include "libos/kernel/user_memory.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

// Linux's own.
constexpr size_t kMostSets = 32000;
constexpr int32_t kMostInSet = 32000;
constexpr size_t kMostOperations = 500;
constexpr int32_t kLargestValue = 32767;

enum : int32_t {
  kGetPid = 11,
  kGetValue = 12,
  kGetAll = 13,
  kGetWaitingForMore = 14,
  kGetWaitingForZero = 15,
  kSetValue = 16,
  kSetAll = 17,
};

// struct sembuf.
struct LinuxSembuf {
  uint16_t number;
  int16_t change;
  uint16_t flags;
};
static_assert(sizeof(LinuxSembuf) == 6);

// struct semid_ds.
struct LinuxSemidDs {
  LinuxIpcPerm permission;
  int64_t operation_time;
  uint64_t unused1;
  int64_t change_time;
  uint64_t unused2;
  uint64_t count;
  uint64_t unused3[2];
};
static_assert(sizeof(LinuxSemidDs) == 104);

struct Semaphore {
  int32_t value = 0;
  int32_t process = 0;  // who has changed it last
  uint32_t waiting_for_more = 0;
  uint32_t waiting_for_zero = 0;
};

struct FreeMemory {
  void operator()(void* memory) const { KernelFree(memory); }
};
template <typename T>
using KernelArray = std::unique_ptr<T[], FreeMemory>;

// ENOMEM.
template <typename T>
Result<KernelArray<T>, Errno> MakeArray(size_t count) {
  void* const memory = KernelAllocate(count * sizeof(T));
  if (memory == nullptr) {
    return Error(Errno::kENOMEM);
  }
  T* const array = static_cast<T*>(memory);
  std::uninitialized_value_construct_n(array, count);
  return KernelArray<T>(array);
}

class SemaphoreSet final : public SystemVObject {
 public:
  SemaphoreSet(int32_t key, uint32_t flags, KernelArray<Semaphore> semaphores, size_t count)
      : SystemVObject(key, flags), semaphores_(std::move(semaphores)), count_(count) {}

  std::span<Semaphore> semaphores() { return std::span(semaphores_.get(), count_); }

  // Does all, or nothing: then `blocking` is the one that has to wait. ERANGE.
  Result<bool, Errno> TryOperations(std::span<const LinuxSembuf> operations,
                                    const LinuxSembuf*& blocking);

  int64_t operation_time = 0;
  WaitQueue waiting;

 private:
  const KernelArray<Semaphore> semaphores_;
  const size_t count_;
};

Result<bool, Errno> SemaphoreSet::TryOperations(std::span<const LinuxSembuf> operations,
                                                const LinuxSembuf*& blocking) {
  blocking = nullptr;
  size_t done = 0;
  for (const LinuxSembuf& operation : operations) {
    int32_t& value = semaphores_[operation.number].value;
    const int32_t wanted = value + operation.change;
    const bool must_wait = operation.change == 0 ? value != 0 : wanted < 0;
    if (must_wait || wanted > kLargestValue) {
      blocking = must_wait ? &operation : nullptr;
      break;
    }
    value = wanted;
    ++done;
  }
  const bool is_done = done == operations.size();
  for (const LinuxSembuf& operation : operations.first(done)) {
    Semaphore& semaphore = semaphores_[operation.number];
    if (is_done) {
      semaphore.process = kProcessId;
    } else {
      semaphore.value -= operation.change;
    }
  }
  return is_done || blocking != nullptr ? Result<bool, Errno>(is_done) : Error(Errno::kERANGE);
}

[[clang::no_destroy]] constinit SystemVObjects<SemaphoreSet, kMostSets> sets;

// Sleeps until the set changes, counted among those who wait for that semaphore. EIDRM, besides
// what SleepOnceUntil says. The lock is held again afterwards if there is a set.
Result<SemaphoreSet*, Errno> WaitForChange(SemaphoreSet& set, const LinuxSembuf& blocking,
                                           Deadline deadline) REQUIRES(sets.lock) {
  const int32_t id = set.id();
  const auto count = [&](SemaphoreSet& in, uint32_t change) {
    Semaphore& semaphore = in.semaphores()[blocking.number];
    (blocking.change == 0 ? semaphore.waiting_for_zero : semaphore.waiting_for_more) += change;
  };
  count(set, 1);
  auto slept = SleepOnceUntil(set.waiting, sets.lock, deadline);
  sets.lock.Lock();
  SemaphoreSet* const there = TRY(sets.FindAgain(id));
  count(*there, ~uint32_t{0});
  if (!slept.ok()) {
    return Error(slept.error());
  }
  return there;
}

SysResult Operate(int32_t id, std::span<const LinuxSembuf> operations, Deadline deadline) {
  const int64_t now = SystemVNow();
  const bool changes = std::ranges::any_of(
      operations, [](const LinuxSembuf& operation) { return operation.change != 0; });
  SpinLockGuard guard(sets.lock);
  SemaphoreSet* set = TRY(sets.Find(id));
  for (const LinuxSembuf& operation : operations) {
    if (operation.number >= set->semaphores().size()) {
      return Error(Errno::kEFBIG);
    }
  }
  TRY(set->CheckAccess(changes ? kSystemVWrite : kSystemVRead));
  const LinuxSembuf* blocking = nullptr;
  while (!TRY(set->TryOperations(operations, blocking))) {
    if ((blocking->flags & kIPC_NOWAIT) != 0) {
      return Error(Errno::kEAGAIN);
    }
    auto next = WaitForChange(*set, *blocking, deadline);
    if (!next.ok()) {
      // As for who does not wait.
      return Error(next.error() == Errno::kETIMEDOUT ? Errno::kEAGAIN : next.error());
    }
    set = next.value();
  }
  set->operation_time = now;
  if (changes) {
    set->waiting.WakeAll();
  }
  return 0;
}

// GETALL.
SysResult TellAll(int32_t id, UserOut<uint16_t> out) {
  // Not with the lock held: the program's memory may fault.
  auto values = TRY(MakeArray<uint16_t>(kMostInSet));
  size_t count = 0;
  {
    SpinLockGuard guard(sets.lock);
    for (const Semaphore& semaphore : TRY(sets.FindFor(id, kSystemVRead))->semaphores()) {
      values[count++] = static_cast<uint16_t>(semaphore.value);
    }
  }
  TRY(CopyToUser(out.address(), std::as_bytes(std::span(values.get(), count))));
  return 0;
}

// SETALL.
SysResult TakeAll(int32_t id, UserIn<uint16_t> from) {
  size_t count;
  {
    SpinLockGuard guard(sets.lock);
    count = TRY(sets.FindFor(id, kSystemVWrite))->semaphores().size();
  }
  auto values = TRY(MakeArray<uint16_t>(count));
  TRY(CopyFromUser(std::as_writable_bytes(std::span(values.get(), count)), from.address()));
  if (std::any_of(values.get(), values.get() + count,
                  [](uint16_t value) { return value > kLargestValue; })) {
    return Error(Errno::kERANGE);
  }
  const int64_t now = SystemVNow();
  SpinLockGuard guard(sets.lock);
  SemaphoreSet& set = *TRY(sets.FindAgain(id));
  for (size_t i = 0; i < count; ++i) {
    Semaphore& semaphore = set.semaphores()[i];
    semaphore.value = values[i];
    semaphore.process = kProcessId;
  }
  set.change_time = now;
  set.waiting.WakeAll();
  return 0;
}

SysResult TellStatus(int32_t id, UserOut<LinuxSemidDs> out) {
  LinuxSemidDs status = {};
  {
    SpinLockGuard guard(sets.lock);
    SemaphoreSet& set = *TRY(sets.FindFor(id, kSystemVRead));
    status.permission = set.permission();
    status.operation_time = set.operation_time;
    status.change_time = set.change_time;
    status.count = set.semaphores().size();
  }
  TRY(Write(out, status));
  return 0;
}

SysResult ChangeStatus(int32_t id, UserIn<LinuxSemidDs> from) {
  const LinuxSemidDs wanted = TRY(Read(from));
  const int64_t now = SystemVNow();
  SpinLockGuard guard(sets.lock);
  SemaphoreSet& set = *TRY(sets.FindOwned(id));
  set.ChangePermission(wanted.permission);
  set.change_time = now;
  return 0;
}

SysResult RemoveSet(int32_t id) {
  SemaphoreSet* set;
  {
    SpinLockGuard guard(sets.lock);
    set = TRY(sets.FindOwned(id));
    sets.Remove(*set);
    set->waiting.WakeAll();  // they find that it is gone
  }
  Delete(set);
  return 0;
}

// The commands that concern one semaphore.
SysResult ControlOne(int32_t id, int32_t number, int32_t command, uint64_t argument) {
  const int64_t now = SystemVNow();
  const int32_t fresh = static_cast<int32_t>(argument);
  if (command == kSetValue && (fresh < 0 || fresh > kLargestValue)) {
    return Error(Errno::kERANGE);
  }
  SpinLockGuard guard(sets.lock);
  SemaphoreSet& set = *TRY(sets.FindFor(id, command == kSetValue ? kSystemVWrite : kSystemVRead));
  if (number < 0 || static_cast<size_t>(number) >= set.semaphores().size()) {
    return Error(Errno::kEINVAL);
  }
  Semaphore& semaphore = set.semaphores()[static_cast<size_t>(number)];
  switch (command) {
    case kGetPid:
      return semaphore.process;
    case kGetValue:
      return semaphore.value;
    case kGetWaitingForMore:
      return semaphore.waiting_for_more;
    case kGetWaitingForZero:
      return semaphore.waiting_for_zero;
    default:
      semaphore.value = fresh;
      semaphore.process = kProcessId;
      set.change_time = now;
      set.waiting.WakeAll();
      return 0;
  }
}

}  // namespace

SysResult SysSemget(int32_t key, int32_t count, uint32_t flags) {
  if (count < 0 || count > kMostInSet) {
    return Error(Errno::kEINVAL);
  }
  const size_t wanted = static_cast<size_t>(count);
  return int64_t{TRY(sets.FindOrMake(
      key, flags,
      [&](SemaphoreSet& there) -> Result<void, Errno> {
        if (wanted > there.semaphores().size()) {
          return Error(Errno::kEINVAL);
        }
        return {};
      },
      [&]() -> Result<SemaphoreSet*, Errno> {
        if (wanted == 0) {
          return Error(Errno::kEINVAL);
        }
        return New<SemaphoreSet>(key, flags, TRY(MakeArray<Semaphore>(wanted)), wanted);
      }))};
}

SysResult SysSemop(int32_t id, UserIn<std::byte> operations, size_t count) {
  return SysSemtimedop(id, operations, count, UserIn<KernelTimespec>(0));
}

SysResult SysSemtimedop(int32_t id, UserIn<std::byte> operations, size_t count,
                        UserIn<KernelTimespec> timeout) {
  const Deadline deadline =
      timeout.is_null() ? kForever : DeadlineAfter(TRY(FromTimespec(TRY(Read(timeout)))));
  if (count == 0 || id < 0) {
    return Error(Errno::kEINVAL);
  }
  if (count > kMostOperations) {
    return Error(Errno::kE2BIG);
  }
  LinuxSembuf copied[kMostOperations];
  const std::span wanted = std::span(copied).first(count);
  TRY(CopyFromUser(std::as_writable_bytes(wanted), operations.address()));
  return Operate(id, wanted, deadline);
}

SysResult SysSemctl(int32_t id, int32_t number, int32_t command, uint64_t argument) {
  switch (command) {
    case kIPC_RMID:
      return RemoveSet(id);
    case kIPC_SET:
      return ChangeStatus(id, UserIn<LinuxSemidDs>(argument));
    case kIPC_STAT:
      return TellStatus(id, UserOut<LinuxSemidDs>(argument));
    case kGetAll:
      return TellAll(id, UserOut<uint16_t>(argument));
    case kSetAll:
      return TakeAll(id, UserIn<uint16_t>(argument));
    case kGetPid:
    case kGetValue:
    case kGetWaitingForMore:
    case kGetWaitingForZero:
    case kSetValue:
      return ControlOne(id, number, command, argument);
    default:
      return Error(Errno::kEINVAL);
  }
}

}  // namespace nsgx::libos
