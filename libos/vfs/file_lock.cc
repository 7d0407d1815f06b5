// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/file_lock.h"

#include <algorithm>

#include "libos/mm/kernel_heap.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

bool Overlap(LockRange a, LockRange b) { return a.first <= b.last && b.first <= a.last; }

// Overlapping, or with nothing between.
bool Touch(LockRange a, LockRange b) {
  return Overlap(a, b) || (a.last != UINT64_MAX && a.last + 1 == b.first) ||
         (b.last != UINT64_MAX && b.last + 1 == a.first);
}

template <typename T>
void FreeAll(IntrusiveList<T>& list) {
  while (T* const element = list.PopFront()) {
    Delete(element);
  }
}

bool Exclude(LockKind a, LockKind b) {
  return a == LockKind::kExclusive || b == LockKind::kExclusive;
}

}  // namespace

// One for the new lock, one for the second half of a lock that is cut in two.
class FileLocks::SpareRanges {
 public:
  SpareRanges() = default;
  ~SpareRanges() { FreeAll(ranges_); }

  Result<void, Errno> Fill() {
    for (int i = 0; i < 2; ++i) {
      auto range = New<Range>();
      if (!range.ok()) {
        return Error(Errno::kENOLCK);
      }
      ranges_.PushBack(*range.value());
    }
    return {};
  }
  Range& Take() {
    Range* const range = ranges_.PopFront();
    CHECK(range != nullptr);
    return *range;
  }
  // Freed when the change is over, without the lock.
  void Give(Range& range) { ranges_.PushBack(range); }

 private:
  IntrusiveList<Range> ranges_;
};

Result<FileLocks*, Errno> FileLocks::Of(Inode& inode) {
  FileLocks* locks = inode.locks.load(std::memory_order_acquire);
  if (locks != nullptr) {
    return locks;
  }
  auto fresh = New<FileLocks>();
  if (!fresh.ok()) {
    return Error(Errno::kENOLCK);
  }
  if (inode.locks.compare_exchange_strong(locks, fresh.value(), std::memory_order_acq_rel)) {
    return fresh.value();
  }
  Delete(fresh.value());
  return locks;
}

void FileLocks::Destroy(Inode& inode) {
  FileLocks* const locks = inode.locks.exchange(nullptr, std::memory_order_acq_rel);
  if (locks != nullptr) {
    locks->ReleaseAll(kProcessLocks);
    Delete(locks);
  }
}

const FileLocks::Range* FileLocks::Conflict(LockOwner owner, LockRange range, LockKind kind) {
  for (const Range& other : ranges_) {
    if (other.held.owner != owner && Overlap(other.held.range, range) &&
        Exclude(other.held.kind, kind)) {
      return &other;
    }
  }
  return nullptr;
}

std::optional<HeldRange> FileLocks::FindConflict(LockOwner owner, LockRange range, LockKind kind) {
  SpinLockGuard guard(lock_);
  const Range* const other = Conflict(owner, range, kind);
  return other == nullptr ? std::nullopt : std::optional(other->held);
}

void FileLocks::Replace(LockOwner owner, LockRange range, std::optional<LockKind> kind,
                        SpareRanges& spares) {
  LockRange merged = range;
  for (auto it = ranges_.begin(); it != ranges_.end();) {
    Range& old = *it++;
    if (old.held.owner != owner) {
      continue;
    }
    LockRange& held = old.held.range;
    if (kind && old.held.kind == *kind && Touch(held, range)) {
      merged.first = std::min(merged.first, held.first);
      merged.last = std::max(merged.last, held.last);
      ranges_.Erase(old);
      spares.Give(old);
    } else if (Overlap(held, range)) {
      const bool keeps_left = held.first < range.first;
      const bool keeps_right = held.last > range.last;
      if (keeps_left && keeps_right) {
        Range& right = spares.Take();
        right.held = {.owner = owner,
                      .kind = old.held.kind,
                      .range = {.first = range.last + 1, .last = held.last}};
        ranges_.PushFront(right);
        held.last = range.first - 1;
      } else if (keeps_left) {
        held.last = range.first - 1;
      } else if (keeps_right) {
        held.first = range.last + 1;
      } else {
        ranges_.Erase(old);
        spares.Give(old);
      }
    }
  }
  if (kind) {
    Range& fresh = spares.Take();
    fresh.held = {.owner = owner, .kind = *kind, .range = merged};
    ranges_.PushBack(fresh);
  }
}

Result<void, Errno> FileLocks::SetRange(LockOwner owner, LockRange range,
                                        std::optional<LockKind> kind, bool wait) {
  SpareRanges spares;
  TRY(spares.Fill());
  lock_.Lock();
  while (kind && Conflict(owner, range, *kind) != nullptr) {
    TRY(SleepOnce(waiters_, lock_, wait));
    lock_.Lock();
  }
  Replace(owner, range, kind, spares);
  // Less may be locked than before, even by a new lock: an exclusive one may have become shared.
  waiters_.WakeAll();
  lock_.Unlock();
  return {};
}

Result<void, Errno> FileLocks::SetWhole(LockOwner owner, std::optional<LockKind> kind, bool wait) {
  auto fresh = New<Whole>();
  if (!fresh.ok()) {
    return Error(Errno::kENOLCK);
  }
  fresh.value()->owner = owner;
  IntrusiveList<Whole> unused;
  unused.PushBack(*fresh.value());
  std::optional<Errno> error;

  lock_.Lock();
  TakeWholes(owner, unused);
  waiters_.WakeAll();
  while (kind && IsHeldByOther(owner, *kind) && !error) {
    if (!wait) {
      error = Errno::kEAGAIN;
      break;
    }
    if (Block(waiters_, lock_, kForever, true) == WakeReason::kSignal) {
      error = Errno::kEINTR;
    }
    lock_.Lock();
  }
  if (kind && !error) {
    // Another thread may have locked by the same open file meanwhile; there is one lock for it.
    TakeWholes(owner, unused);
    Whole& whole = *unused.PopFront();
    whole.kind = *kind;
    wholes_.PushBack(whole);
  }
  lock_.Unlock();

  FreeAll(unused);
  if (error) {
    return Error(*error);
  }
  return {};
}

bool FileLocks::IsHeldByOther(LockOwner owner, LockKind kind) const {
  for (const Whole& whole : wholes_) {
    if (whole.owner != owner && Exclude(whole.kind, kind)) {
      return true;
    }
  }
  return false;
}

void FileLocks::TakeWholes(LockOwner owner, IntrusiveList<Whole>& out) {
  for (auto it = wholes_.begin(); it != wholes_.end();) {
    Whole& whole = *it++;
    if (whole.owner == owner) {
      wholes_.Erase(whole);
      out.PushBack(whole);
    }
  }
}

void FileLocks::ReleaseAll(LockOwner owner) {
  IntrusiveList<Range> ranges;
  IntrusiveList<Whole> wholes;
  {
    SpinLockGuard guard(lock_);
    for (auto it = ranges_.begin(); it != ranges_.end();) {
      Range& range = *it++;
      if (range.held.owner == owner) {
        ranges_.Erase(range);
        ranges.PushBack(range);
      }
    }
    TakeWholes(owner, wholes);
    waiters_.WakeAll();
  }
  FreeAll(ranges);
  FreeAll(wholes);
}

void FileLocks::ReleaseOwner(Inode& inode, LockOwner owner) {
  FileLocks* const locks = inode.locks.load(std::memory_order_acquire);
  if (locks != nullptr) {
    locks->ReleaseAll(owner);
  }
}

}  // namespace nsgx::libos
