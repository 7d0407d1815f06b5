// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/futex.h"

#include <cstddef>

#include "base/core/spinlock.h"
#include "libos/kernel/futex_lock.h"
#include "libos/kernel/futex_table.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {

Result<void, Errno> FutexWait(uint64_t address, uint32_t expected, uint32_t bitset,
                              Deadline deadline) {
  if (!IsFutexAligned(address) || bitset == 0) {
    return Error(Errno::kEINVAL);
  }
  FutexWaiter waiter;
  waiter.address = address;
  waiter.bitset = bitset;
  const WakeReason reason = TRY(SleepOnFutex(waiter, expected, deadline));
  if (reason == WakeReason::kWoken) {
    return {};
  }
  return Error(reason == WakeReason::kTimeout ? Errno::kETIMEDOUT : Errno::kEINTR);
}

uint32_t FutexWake(uint64_t address, uint32_t count, uint32_t bitset) {
  FutexBucket& bucket = FutexBucketFor(address);
  SpinLockGuard guard(bucket.lock);
  return WakeFutexWaiters(bucket, address, count, bitset);
}

Result<uint32_t, Errno> FutexRequeue(uint64_t from, uint32_t wake, uint64_t to, uint32_t move,
                                     const uint32_t* expected)
    NO_THREAD_SAFETY_ANALYSIS {  // TwoFutexBuckets holds both locks
  if (!IsFutexAligned(from) || !IsFutexAligned(to)) {
    return Error(Errno::kEINVAL);
  }
  FutexBucket& source = FutexBucketFor(from);
  FutexBucket& target = FutexBucketFor(to);
  TwoFutexBuckets guard(source, target);
  if (expected != nullptr && TRY(LoadUser32(from)) != *expected) {
    return Error(Errno::kEAGAIN);
  }
  uint32_t done = WakeFutexWaiters(source, from, wake, kFutexMatchAny);
  uint32_t moved = 0;
  for (auto next = source.waiters.begin();
       next != source.waiters.end() && moved < move && from != to;) {
    FutexWaiter& waiter = *next++;
    if (waiter.address == from && waiter.kind == FutexWaiterKind::kPlain) {
      source.waiters.Erase(waiter);
      waiter.address = to;
      target.Add(waiter);
      ++moved;
    }
  }
  return done + moved;
}

Result<uint32_t, Errno> FutexWakeOperation(
    uint64_t first, uint32_t wake_first, uint64_t second, uint32_t wake_second,
    uint32_t operation) NO_THREAD_SAFETY_ANALYSIS {  // TwoFutexBuckets holds both locks
  if (!IsFutexAligned(first) || !IsFutexAligned(second)) {
    return Error(Errno::kEINVAL);
  }
  enum : uint32_t { kSet, kAdd, kOr, kAndNot, kXor };
  enum : uint32_t { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
  const uint32_t kind = operation >> 28 & 7;
  const bool shift_argument = (operation >> 31) != 0;
  const uint32_t comparison = operation >> 24 & 15;
  // Both arguments are 12-bit and signed.
  const auto sign_extend = [](uint32_t bits) { return static_cast<int32_t>(bits << 20) >> 20; };
  int32_t argument = sign_extend(operation >> 12 & 0xfff);
  const int32_t compare_with = sign_extend(operation & 0xfff);
  if (shift_argument) {
    argument = static_cast<int32_t>(uint32_t{1} << (static_cast<uint32_t>(argument) & 31));
  }
  if (kind > kXor || comparison > kGreaterOrEqual) {
    return Error(Errno::kENOSYS);
  }

  FutexBucket& first_bucket = FutexBucketFor(first);
  FutexBucket& second_bucket = FutexBucketFor(second);
  TwoFutexBuckets guard(first_bucket, second_bucket);
  uint32_t old = TRY(LoadUser32(second));
  while (true) {
    const uint32_t operand = static_cast<uint32_t>(argument);
    const uint32_t wanted = kind == kSet      ? operand
                            : kind == kAdd    ? old + operand
                            : kind == kOr     ? old | operand
                            : kind == kAndNot ? old & ~operand
                                              : old ^ operand;
    const uint32_t found = TRY(CompareExchangeUser32(second, old, wanted));
    if (found == old) {
      break;
    }
    old = found;
  }
  const int32_t value = static_cast<int32_t>(old);
  const bool holds = comparison == kEqual         ? value == compare_with
                     : comparison == kNotEqual    ? value != compare_with
                     : comparison == kLess        ? value < compare_with
                     : comparison == kLessOrEqual ? value <= compare_with
                     : comparison == kGreater     ? value > compare_with
                                                  : value >= compare_with;
  uint32_t woken = WakeFutexWaiters(first_bucket, first, wake_first, kFutexMatchAny);
  if (holds) {
    woken += WakeFutexWaiters(second_bucket, second, wake_second, kFutexMatchAny);
  }
  return woken;
}

namespace {

constexpr uint64_t kPriorityInheritance = 1;  // bit 0 of an entry

// Marks the futex at `address` as left behind by `tid`, and gives it to the next who waits for it.
void ReleaseRobustFutex(uint64_t address, int32_t tid, bool is_lock) {
  if (!IsFutexAligned(address)) {
    return;
  }
  if (is_lock) {
    AbandonFutexLock(address, tid);
    return;
  }
  while (true) {
    const uint32_t value = LoadUser32(address).value_or(0);
    if ((value & kFutexTidMask) != static_cast<uint32_t>(tid)) {
      return;
    }
    auto found = CompareExchangeUser32(address, value, (value & kFutexWaiters) | kFutexOwnerDied);
    if (!found.ok()) {
      return;
    }
    if (found.value() == value) {
      if ((value & kFutexWaiters) != 0) {
        FutexWake(address, 1);
      }
      return;
    }
  }
}

}  // namespace

void ReleaseRobustFutexes(Thread& thread) {
  const uint64_t head = thread.robust_list;
  if (head == 0) {
    return;
  }
  // struct robust_list_head: first entry, offset from an entry to its futex word, entry being
  // locked or unlocked right now.
  auto first = Read(UserIn<uint64_t>(head), 0);
  auto offset = Read(UserIn<uint64_t>(head), 1);
  auto pending = Read(UserIn<uint64_t>(head), 2);
  if (!first.ok() || !offset.ok() || !pending.ok()) {
    return;
  }
  constexpr uint32_t kMaxEntries = 2048;  // the list is the program's and may be a ring
  const auto release = [&](uint64_t entry) {
    ReleaseRobustFutex((entry & ~kPriorityInheritance) + offset.value(), thread.tid,
                       (entry & kPriorityInheritance) != 0);
  };
  uint64_t entry = first.value();
  for (uint32_t i = 0; i < kMaxEntries && (entry & ~kPriorityInheritance) != head; ++i) {
    const uint64_t address = entry & ~kPriorityInheritance;
    auto next = Read(UserIn<uint64_t>(address));
    if (address != (pending.value() & ~kPriorityInheritance)) {
      release(entry);
    }
    if (!next.ok()) {
      return;
    }
    entry = next.value();
  }
  if (pending.value() != 0) {
    release(pending.value());
  }
}

}  // namespace nsgx::libos
