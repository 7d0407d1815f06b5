// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/futex.h"

#include <atomic>
#include <cstddef>

#include "base/core/intrusive_list.h"
#include "base/core/spinlock.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {
namespace {

struct Bucket;

// One sleeper, on its own kernel stack. `bucket` changes when it is moved; whoever holds the lock
// of the bucket that it is in may change the rest.
struct Waiter : ListNode<> {
  Thread* thread;
  uint64_t address;
  uint32_t bitset;
  std::atomic<Bucket*> bucket;
};

struct alignas(64) Bucket {
  SpinLock lock;
  IntrusiveList<Waiter> waiters GUARDED_BY(lock);
};

constexpr uint32_t kBuckets = 256;
[[clang::no_destroy]] constinit Bucket buckets[kBuckets];

Bucket& BucketFor(uint64_t address) {
  return buckets[(address >> 2) * 0x9e3779b97f4a7c15u >> (64 - 8)];
}
static_assert(kBuckets == 1 << 8);

constexpr uint64_t kWordMask = sizeof(uint32_t) - 1;

bool IsAligned(uint64_t address) { return (address & kWordMask) == 0; }

uint32_t WakeIn(Bucket& bucket, uint64_t address, uint32_t count, uint32_t bitset)
    REQUIRES(bucket.lock) {
  uint32_t woken = 0;
  for (auto next = bucket.waiters.begin(); next != bucket.waiters.end() && woken < count;) {
    Waiter& waiter = *next++;
    if (waiter.address != address || (waiter.bitset & bitset) == 0) {
      continue;
    }
    bucket.waiters.Erase(waiter);
    if (TryWake(*waiter.thread, WakeReason::kWoken)) {
      ++woken;  // and `waiter` is gone: its thread may have run already
    } else {
      // Woken by something else before: it withdraws, and needs the lock for that.
      waiter.bucket.store(nullptr, std::memory_order_release);
    }
  }
  return woken;
}

// Locks one or two buckets, always in the same order.
class TwoBuckets {
 public:
  TwoBuckets(Bucket& a, Bucket& b) NO_THREAD_SAFETY_ANALYSIS  // the order depends on the addresses
      : first_(&a < &b ? a : b),
        second_(&a < &b ? b : a) {
    first_.lock.Lock();
    if (&first_ != &second_) {
      second_.lock.Lock();
    }
  }
  ~TwoBuckets() NO_THREAD_SAFETY_ANALYSIS {
    if (&first_ != &second_) {
      second_.lock.Unlock();
    }
    first_.lock.Unlock();
  }
  TwoBuckets(const TwoBuckets&) = delete;
  TwoBuckets& operator=(const TwoBuckets&) = delete;

 private:
  Bucket& first_;
  Bucket& second_;
};

// Takes the waiter out of whatever bucket it is in, after a sleep that no wake-up ended. False: a
// wake-up has taken it out.
bool Withdraw(Waiter& waiter)
    NO_THREAD_SAFETY_ANALYSIS {  // the bucket may change until its lock is held
  while (true) {
    Bucket* bucket = waiter.bucket.load(std::memory_order_acquire);
    if (bucket == nullptr) {
      return false;
    }
    SpinLockGuard guard(bucket->lock);
    if (waiter.bucket.load(std::memory_order_relaxed) == bucket) {
      bucket->waiters.Erase(waiter);
      return true;
    }
  }
}

}  // namespace

Result<void, Errno> FutexWait(uint64_t address, uint32_t expected, uint32_t bitset,
                              Deadline deadline) {
  if (!IsAligned(address) || bitset == 0) {
    return Error(Errno::kEINVAL);
  }
  Bucket& bucket = BucketFor(address);
  Waiter waiter;
  waiter.thread = &CurrentThread();
  waiter.address = address;
  waiter.bitset = bitset;
  {
    SpinLockGuard guard(bucket.lock);
    if (TRY(LoadUser32(address)) != expected) {
      return Error(Errno::kEAGAIN);
    }
    waiter.bucket.store(&bucket, std::memory_order_relaxed);
    bucket.waiters.PushBack(waiter);
    BeginSleep(true);
  }
  const WakeReason reason = Sleep(deadline);
  if (reason == WakeReason::kWoken) {
    return {};
  }
  Withdraw(waiter);
  return Error(reason == WakeReason::kTimeout ? Errno::kETIMEDOUT : Errno::kEINTR);
}

uint32_t FutexWake(uint64_t address, uint32_t count, uint32_t bitset) {
  Bucket& bucket = BucketFor(address);
  SpinLockGuard guard(bucket.lock);
  return WakeIn(bucket, address, count, bitset);
}

Result<uint32_t, Errno> FutexRequeue(uint64_t from, uint32_t wake, uint64_t to, uint32_t move,
                                     const uint32_t* expected)
    NO_THREAD_SAFETY_ANALYSIS {  // TwoBuckets holds both locks
  if (!IsAligned(from) || !IsAligned(to)) {
    return Error(Errno::kEINVAL);
  }
  Bucket& source = BucketFor(from);
  Bucket& target = BucketFor(to);
  TwoBuckets guard(source, target);
  if (expected != nullptr && TRY(LoadUser32(from)) != *expected) {
    return Error(Errno::kEAGAIN);
  }
  uint32_t done = WakeIn(source, from, wake, kFutexMatchAny);
  uint32_t moved = 0;
  for (auto next = source.waiters.begin();
       next != source.waiters.end() && moved < move && from != to;) {
    Waiter& waiter = *next++;
    if (waiter.address == from) {
      source.waiters.Erase(waiter);
      waiter.address = to;
      target.waiters.PushBack(waiter);
      waiter.bucket.store(&target, std::memory_order_release);
      ++moved;
    }
  }
  return done + moved;
}

Result<uint32_t, Errno> FutexWakeOperation(
    uint64_t first, uint32_t wake_first, uint64_t second, uint32_t wake_second,
    uint32_t operation) NO_THREAD_SAFETY_ANALYSIS {  // TwoBuckets holds both locks
  if (!IsAligned(first) || !IsAligned(second)) {
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

  Bucket& first_bucket = BucketFor(first);
  Bucket& second_bucket = BucketFor(second);
  TwoBuckets guard(first_bucket, second_bucket);
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
  uint32_t woken = WakeIn(first_bucket, first, wake_first, kFutexMatchAny);
  if (holds) {
    woken += WakeIn(second_bucket, second, wake_second, kFutexMatchAny);
  }
  return woken;
}

namespace {

constexpr uint32_t kFutexWaiters = 0x80000000, kFutexOwnerDied = 0x40000000,
                   kFutexTidMask = 0x3fffffff;

// Marks the futex at `address` as left behind by `tid`, and wakes the next if it is waited for.
void ReleaseRobustFutex(uint64_t address, int32_t tid) {
  if (!IsAligned(address)) {
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
  constexpr uint64_t kPriorityInheritance = 1;  // bit 0 of an entry
  constexpr uint32_t kMaxEntries = 2048;        // the list is the program's and may be a ring
  uint64_t entry = first.value();
  for (uint32_t i = 0; i < kMaxEntries && (entry & ~kPriorityInheritance) != head; ++i) {
    const uint64_t address = entry & ~kPriorityInheritance;
    auto next = Read(UserIn<uint64_t>(address));
    if (address != (pending.value() & ~kPriorityInheritance)) {
      ReleaseRobustFutex(address + offset.value(), thread.tid);
    }
    if (!next.ok()) {
      return;
    }
    entry = next.value();
  }
  if (pending.value() != 0) {
    ReleaseRobustFutex((pending.value() & ~kPriorityInheritance) + offset.value(), thread.tid);
  }
}

}  // namespace nsgx::libos
