// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/futex_lock.h"

#include "libos/kernel/futex.h"
#include "libos/kernel/futex_table.h"
#include "libos/kernel/process.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {
namespace {

using Kind = FutexWaiterKind;

uint32_t OwnerIn(uint32_t value) { return value & kFutexTidMask; }
uint32_t IdOf(const Thread& thread) { return static_cast<uint32_t>(thread.tid); }

// The next who waits for the lock at `address`, from `first` on; null: nobody.
FutexWaiter* NextWaiter(FutexBucket& bucket, uint64_t address, const FutexWaiter* behind = nullptr)
    REQUIRES(bucket.lock) {
  bool passed = behind == nullptr;
  for (FutexWaiter& waiter : bucket.waiters) {
    if (passed && waiter.address == address && waiter.kind == Kind::kLock) {
      return &waiter;
    }
    passed = passed || &waiter == behind;
  }
  return nullptr;
}

// Sets the word to what `change` makes of it; returns what it was.
template <typename Change>
Result<uint32_t, Errno> ChangeWord(uint64_t address, Change change) {
  uint32_t old = TRY(LoadUser32(address));
  while (true) {
    const uint32_t found = TRY(CompareExchangeUser32(address, old, change(old)));
    if (found == old) {
      return old;
    }
    old = found;
  }
}

// Makes the oldest waiter the owner. The word says so before it runs. False: nobody waits, and the
// word is as it was.
Result<bool, Errno> HandOver(FutexBucket& bucket, uint64_t address, uint32_t bits)
    REQUIRES(bucket.lock) {
  while (FutexWaiter* next = NextWaiter(bucket, address)) {
    Thread& heir = *next->thread;
    const bool more = NextWaiter(bucket, address, next) != nullptr;
    const uint32_t word = IdOf(heir) | bits | (more ? kFutexWaiters : 0);
    TRY(ChangeWord(address, [word](uint32_t) { return word; }));
    heir.awaited_lock.store(0);
    for (FutexWaiter& waiter : bucket.waiters) {
      if (waiter.address == address && waiter.kind == Kind::kLock) {
        waiter.owner = IdOf(heir);
        heir.owns_contended_lock.store(true);
      }
    }
    if (WakeFutexWaiter(bucket, *next)) {
      return true;
    }
  }
  return false;
}

// Whether the owner of the lock waits, by whatever way round, for `self`.
bool WouldDeadlock(uint64_t address, const Thread& self) {
  constexpr uint32_t kMaxChain = 1024;  // as Linux; a chain may also change under the walk
  for (uint32_t i = 0; i < kMaxChain; ++i) {
    const uint32_t owner = OwnerIn(LoadUser32(address).value_or(0));
    if (owner == IdOf(self)) {
      return true;
    }
    uint64_t next = 0;
    const auto look = [](Thread& thread, void* context) -> Result<void, Errno> {
      *static_cast<uint64_t*>(context) = thread.awaited_lock.load();
      return {};
    };
    if (!WithThread(static_cast<int32_t>(owner), look, &next).ok() || next == 0) {
      return false;
    }
    address = next;
  }
  return false;
}

// Lets the owner know, for its end, that somebody waits for it. ESRCH: there is no such thread.
Result<void, Errno> MarkOwner(uint32_t owner) {
  return WithThread(
      static_cast<int32_t>(owner),
      [](Thread& thread, void*) -> Result<void, Errno> {
        thread.owns_contended_lock.store(true);
        return {};
      },
      nullptr);
}

// Takes a free lock for `thread`; false: it has an owner, and if `will_wait` is given, the word now
// says that somebody waits, and `will_wait` for whom. EDEADLK: `thread` is the owner.
Result<bool, Errno> TryTake(FutexBucket& bucket, uint64_t address, const Thread& thread,
                            FutexWaiter* will_wait) REQUIRES(bucket.lock) {
  while (true) {
    const uint32_t value = TRY(LoadUser32(address));
    if (OwnerIn(value) == IdOf(thread)) {
      return Error(Errno::kEDEADLK);
    }
    const bool is_free = OwnerIn(value) == 0;
    if (!is_free && will_wait == nullptr) {
      return false;
    }
    const uint32_t waiters = NextWaiter(bucket, address) != nullptr ? kFutexWaiters : 0;
    const uint32_t wanted =
        is_free ? IdOf(thread) | (value & kFutexOwnerDied) | waiters : value | kFutexWaiters;
    if (TRY(CompareExchangeUser32(address, value, wanted)) == value) {
      if (!is_free) {
        TRY(MarkOwner(OwnerIn(value)));
        will_wait->owner = OwnerIn(value);
      }
      return is_free;
    }
  }
}

}  // namespace

Result<void, Errno> FutexLock(uint64_t address, Deadline deadline) {
  if (!IsFutexAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  FutexBucket& bucket = FutexBucketFor(address);
  Thread& self = CurrentThread();
  FutexWaiter waiter;
  waiter.thread = &self;
  waiter.address = address;
  waiter.kind = Kind::kLock;
  {
    SpinLockGuard guard(bucket.lock);
    if (TRY(TryTake(bucket, address, self, &waiter))) {
      return {};
    }
    if (WouldDeadlock(address, self)) {
      return Error(Errno::kEDEADLK);
    }
    self.awaited_lock.store(address);
    bucket.Add(waiter);
    BeginSleep(true);
  }
  const WakeReason reason = Sleep(deadline);
  if (reason == WakeReason::kWoken) {
    return {};
  }
  WithdrawFutexWaiter(waiter);
  self.awaited_lock.store(0);
  return Error(reason == WakeReason::kTimeout ? Errno::kETIMEDOUT : Errno::kERESTARTNOINTR);
}

Result<void, Errno> FutexTryLock(uint64_t address) {
  if (!IsFutexAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  FutexBucket& bucket = FutexBucketFor(address);
  SpinLockGuard guard(bucket.lock);
  return TRY(TryTake(bucket, address, CurrentThread(), nullptr)) ? Result<void, Errno>()
                                                                 : Error(Errno::kEAGAIN);
}

Result<void, Errno> FutexUnlock(uint64_t address) {
  if (!IsFutexAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  FutexBucket& bucket = FutexBucketFor(address);
  SpinLockGuard guard(bucket.lock);
  if (OwnerIn(TRY(LoadUser32(address))) != IdOf(CurrentThread())) {
    return Error(Errno::kEPERM);
  }
  if (!TRY(HandOver(bucket, address, 0))) {
    TRY(ChangeWord(address, [](uint32_t) { return 0u; }));
  }
  return {};
}

Result<void, Errno> FutexWaitThenLock(uint64_t from, uint32_t expected, uint32_t bitset,
                                      uint64_t lock, Deadline deadline) {
  if (!IsFutexAligned(from) || !IsFutexAligned(lock) || from == lock || bitset == 0) {
    return Error(Errno::kEINVAL);
  }
  FutexWaiter waiter;
  waiter.address = from;
  waiter.bitset = bitset;
  waiter.kind = Kind::kRequeue;
  waiter.lock_address = lock;
  const WakeReason reason = TRY(SleepOnFutex(waiter, expected, deadline));
  if (reason == WakeReason::kWoken) {
    return {};
  }
  CurrentThread().awaited_lock.store(0);  // it may have been moved to the lock until just now
  if (reason == WakeReason::kTimeout) {
    return Error(Errno::kETIMEDOUT);
  }
  // Made again it would wait for a wake-up that has been.
  return Error(waiter.kind == Kind::kRequeue ? Errno::kERESTARTNOINTR : Errno::kEAGAIN);
}

Result<uint32_t, Errno> FutexRequeueToLock(uint64_t from, uint64_t lock, uint32_t move,
                                           uint32_t expected)
    NO_THREAD_SAFETY_ANALYSIS {  // TwoFutexBuckets holds both locks
  if (!IsFutexAligned(from) || !IsFutexAligned(lock) || from == lock) {
    return Error(Errno::kEINVAL);
  }
  FutexBucket& source = FutexBucketFor(from);
  FutexBucket& target = FutexBucketFor(lock);
  TwoFutexBuckets guard(source, target);
  if (TRY(LoadUser32(from)) != expected) {
    return Error(Errno::kEAGAIN);
  }
  uint32_t done = 0;
  bool is_first = true;
  for (auto next = source.waiters.begin(); next != source.waiters.end() && done <= move;) {
    FutexWaiter& waiter = *next++;
    if (waiter.address != from) {
      continue;
    }
    if (waiter.kind != Kind::kRequeue || waiter.lock_address != lock) {
      return Error(Errno::kEINVAL);
    }
    Thread& thread = *waiter.thread;
    const bool taken = TRY(TryTake(target, lock, thread, &waiter));
    if (taken && is_first) {
      if (WakeFutexWaiter(source, waiter)) {
        ++done;
        is_first = false;
      } else if (!TRY(HandOver(target, lock, 0))) {
        TRY(ChangeWord(lock, [](uint32_t) { return 0u; }));
      }
      continue;
    }
    is_first = false;
    source.waiters.Erase(waiter);
    waiter.address = lock;
    waiter.kind = Kind::kLock;
    thread.awaited_lock.store(lock);
    target.Add(waiter);
    if (taken) {
      // It was given up in between: whoever is first has it.
      TRY(HandOver(target, lock, 0));
    }
    ++done;
  }
  return done;
}

void AbandonFutexLock(uint64_t address, int32_t tid) {
  FutexBucket& bucket = FutexBucketFor(address);
  SpinLockGuard guard(bucket.lock);
  const auto value = LoadUser32(address);
  if (!value.ok() || OwnerIn(value.value()) != static_cast<uint32_t>(tid)) {
    return;
  }
  const auto handed = HandOver(bucket, address, kFutexOwnerDied);
  if (handed.ok() && !handed.value()) {
    // An unreadable word is the program's own affair.
    static_cast<void>(ChangeWord(address, [](uint32_t) { return kFutexOwnerDied; }).ok());
  }
}

void AbandonAllFutexLocks(const Thread& thread) {
  if (!thread.owns_contended_lock.load()) {
    return;
  }
  for (uint32_t i = 0; i < kFutexBuckets; ++i) {
    FutexBucket& bucket = FutexBucketAt(i);
    SpinLockGuard guard(bucket.lock);
    for (auto next = bucket.waiters.begin(); next != bucket.waiters.end();) {
      FutexWaiter& waiter = *next++;
      if (waiter.kind == Kind::kLock && waiter.owner == IdOf(thread) &&
          HandOver(bucket, waiter.address, kFutexOwnerDied).value_or(false)) {
        next = bucket.waiters.begin();  // it may have been the next
      }
    }
  }
}

}  // namespace nsgx::libos
