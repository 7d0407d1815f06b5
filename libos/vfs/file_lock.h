// SPDX-License-Identifier: Apache-2.0
// Advisory locks: ranges (fcntl) and whole files (flock). There is one process, so the classic
// locks of fcntl, whose owner is the process, meet only those that belong to an open file.
#pragma once

#include <cstdint>
#include <optional>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

class File;
class Inode;

enum class LockKind : uint8_t { kShared, kExclusive };

// Who holds a lock: an open file, or the process.
using LockOwner = const void*;
inline constexpr LockOwner kProcessLocks = nullptr;

// Bytes `first` to `last`, both in.
struct LockRange {
  uint64_t first;
  uint64_t last;
};

struct HeldRange {
  LockOwner owner;
  LockKind kind;
  LockRange range;
};

// All locks of one inode. Made when the first is asked for, gone with the inode.
class FileLocks {
 public:
  FileLocks() = default;  // for Of()
  FileLocks(const FileLocks&) = delete;
  FileLocks& operator=(const FileLocks&) = delete;

  // ENOLCK: no memory.
  static Result<FileLocks*, Errno> Of(Inode& inode);
  static void Destroy(Inode& inode);

  // Replaces what `owner` holds in `range`; no kind: releases it. EAGAIN: somebody else's lock is
  // in the way and `wait` is false. EINTR: a signal came while waiting. ENOLCK.
  Result<void, Errno> SetRange(LockOwner owner, LockRange range, std::optional<LockKind> kind,
                               bool wait);
  // A lock that is in the way of the one described.
  std::optional<HeldRange> FindConflict(LockOwner owner, LockRange range, LockKind kind);

  // flock of an open file. Errors: as SetRange, but what it held before is lost when another is in
  // the way.
  Result<void, Errno> SetWhole(LockOwner owner, std::optional<LockKind> kind, bool wait);

  // `owner` is gone: its locks are released.
  static void ReleaseOwner(Inode& inode, LockOwner owner);

 private:
  struct Range : ListNode<> {
    HeldRange held;
  };
  struct Whole : ListNode<> {
    LockOwner owner;
    LockKind kind;
  };
  // Nodes for one change, taken beforehand, because a change must not fail halfway.
  class SpareRanges;

  const Range* Conflict(LockOwner owner, LockRange range, LockKind kind) REQUIRES(lock_);
  void Replace(LockOwner owner, LockRange range, std::optional<LockKind> kind, SpareRanges& spares)
      REQUIRES(lock_);
  bool IsHeldByOther(LockOwner owner, LockKind kind) const REQUIRES(lock_);
  void TakeWholes(LockOwner owner, IntrusiveList<Whole>& out) REQUIRES(lock_);
  void ReleaseAll(LockOwner owner);

  SpinLock lock_;
  WaitQueue waiters_ GUARDED_BY(lock_);
  IntrusiveList<Range> ranges_ GUARDED_BY(lock_);
  IntrusiveList<Whole> wholes_ GUARDED_BY(lock_);
};

}  // namespace nsgx::libos
