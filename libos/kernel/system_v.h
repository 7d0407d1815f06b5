// SPDX-License-Identifier: Apache-2.0
// What the three kinds of System V IPC have in common: numbers, keys and rights. All objects belong
// to the one process of the enclave and end with it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"

namespace nsgx::libos {

inline constexpr int32_t kIPC_PRIVATE = 0;
inline constexpr uint32_t kIPC_CREAT = 01000;
inline constexpr uint32_t kIPC_EXCL = 02000;
inline constexpr uint32_t kIPC_NOWAIT = 04000;
inline constexpr int32_t kIPC_RMID = 0;
inline constexpr int32_t kIPC_SET = 1;
inline constexpr int32_t kIPC_STAT = 2;

// struct ipc_perm.
struct LinuxIpcPerm {
  int32_t key;
  uint32_t user;
  uint32_t group;
  uint32_t creator_user;
  uint32_t creator_group;
  uint32_t mode;
  uint16_t sequence;
  uint16_t padding0;
  uint32_t padding1;
  uint64_t unused[2];
};
static_assert(sizeof(LinuxIpcPerm) == 48);

// `wanted` of CheckAccess.
inline constexpr uint32_t kSystemVRead = 0444;
inline constexpr uint32_t kSystemVWrite = 0222;

// Seconds since 1970. Requires: no lock, as it may be a host call.
int64_t SystemVNow();

class SystemVObject : public ListNode<> {
 public:
  // The process's own, with the key and the mode that shmget and its kin were given, made now.
  // Requires: no lock.
  SystemVObject(int32_t key, uint32_t flags);
  SystemVObject(const SystemVObject&) = delete;
  SystemVObject& operator=(const SystemVObject&) = delete;

  int32_t id() const { return id_; }
  int32_t key() const { return permission_.key; }

  // EACCES: not for the effective user.
  Result<void, Errno> CheckAccess(uint32_t wanted) const;
  // EPERM: neither owner nor root.
  Result<void, Errno> CheckIsOwner() const;
  LinuxIpcPerm permission() const { return permission_; }
  // IPC_SET.
  void ChangePermission(const LinuxIpcPerm& wanted);
  // No key leads here any more.
  void ForgetKey() { permission_.key = kIPC_PRIVATE; }

  int64_t change_time;

 protected:
  ~SystemVObject() = default;

 private:
  template <typename T, size_t kMost>
  friend class SystemVObjects;

  LinuxIpcPerm permission_;
  int32_t id_ = 0;
};

// All objects of one kind. They are used with the lock held, and looked for again after a sleep.
template <typename T, size_t kMost>
class SystemVObjects {
 public:
  constexpr SystemVObjects() = default;

  SpinLock lock;

  // EINVAL.
  Result<T*, Errno> Find(int32_t id) REQUIRES(lock) {
    for (T& object : BucketOf(id)) {
      if (object.id_ == id) {
        return &object;
      }
    }
    return Error(Errno::kEINVAL);
  }
  // One that the caller may use so. EINVAL, EACCES.
  Result<T*, Errno> FindFor(int32_t id, uint32_t access) REQUIRES(lock) {
    T* const object = TRY(Find(id));
    TRY(object->CheckAccess(access));
    return object;
  }
  // One that the caller may change or remove. EINVAL, EPERM.
  Result<T*, Errno> FindOwned(int32_t id) REQUIRES(lock) {
    T* const object = TRY(Find(id));
    TRY(object->CheckIsOwner());
    return object;
  }
  // One that was there before the lock was given up. EIDRM.
  Result<T*, Errno> FindAgain(int32_t id) REQUIRES(lock) {
    return Find(id).transform_error([](Errno) { return Errno::kEIDRM; });
  }

  // What shmget and its kin return. `check` looks at one that is there, `make` makes a new one
  // without the lock. EEXIST, ENOENT, EACCES, ENOSPC.
  template <typename Check, typename Make>
  Result<int32_t, Errno> FindOrMake(int32_t key, uint32_t flags, Check check, Make make) {
    while (true) {
      {
        SpinLockGuard guard(lock);
        if (T* const there = FindKey(key); there != nullptr) {
          constexpr uint32_t kExclusive = kIPC_CREAT | kIPC_EXCL;
          if ((flags & kExclusive) == kExclusive) {
            return Error(Errno::kEEXIST);
          }
          TRY(check(*there));
          TRY(there->CheckAccess(flags));
          return there->id_;
        }
        if (key != kIPC_PRIVATE && (flags & kIPC_CREAT) == 0) {
          return Error(Errno::kENOENT);
        }
        if (count_ == kMost) {
          return Error(Errno::kENOSPC);
        }
      }
      T* const fresh = TRY(make());
      {
        SpinLockGuard guard(lock);
        if (FindKey(key) == nullptr && count_ < kMost) {
          return Add(*fresh);
        }
      }
      Delete(fresh);  // another thread was faster
    }
  }

  // Takes it out; it is the caller's to delete.
  void Remove(T& object) REQUIRES(lock) {
    BucketOf(object.id_).Erase(object);
    --count_;
  }

  // Null: none.
  template <typename Predicate>
  T* FindIf(Predicate is_it) REQUIRES(lock) {
    for (IntrusiveList<T>& bucket : buckets_) {
      for (T& object : bucket) {
        if (is_it(object)) {
          return &object;
        }
      }
    }
    return nullptr;
  }

 private:
  static constexpr size_t kBuckets = 64;

  IntrusiveList<T>& BucketOf(int32_t id) REQUIRES(lock) {
    return buckets_[static_cast<uint32_t>(id) % kBuckets];
  }

  T* FindKey(int32_t key) REQUIRES(lock) {
    return key == kIPC_PRIVATE ? nullptr
                               : FindIf([&](const T& object) { return object.key() == key; });
  }

  int32_t Add(T& object) REQUIRES(lock) {
    do {
      object.id_ = next_id_;
      next_id_ = next_id_ == INT32_MAX ? 0 : next_id_ + 1;
    } while (Find(object.id_).ok());
    BucketOf(object.id_).PushBack(object);
    ++count_;
    return object.id_;
  }

  IntrusiveList<T> buckets_[kBuckets] GUARDED_BY(lock);
  size_t count_ GUARDED_BY(lock) = 0;
  int32_t next_id_ GUARDED_BY(lock) = 0;
};

}  // namespace nsgx::libos
