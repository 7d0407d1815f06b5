// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/file_system.h"

#include <atomic>

#include "base/core/check.h"
#include "base/core/spinlock.h"

namespace nsgx::libos {
namespace {

// Protects the list. File systems are never unmounted while others look.
constinit SpinLock mounts_lock;
[[clang::no_destroy]] constinit IntrusiveList<FileSystem> mounts GUARDED_BY(mounts_lock);
// Devices without hardware have major number 0.
constinit std::atomic<uint32_t> next_minor{kFirstDynamicDevice};

}  // namespace

uint64_t NewDeviceNumber() {
  return MakeDevice(0, next_minor.fetch_add(1, std::memory_order_relaxed));
}

void MountRoot(FileSystem& file_system) {
  SpinLockGuard guard(mounts_lock);
  CHECK(mounts.is_empty());
  mounts.PushBack(file_system);
}

void Mount(Inode& place, FileSystem& file_system) {
  SpinLockGuard guard(mounts_lock);
  CHECK(place.is_directory() == file_system.root().is_directory() && place.mounted() == nullptr &&
        !file_system.is_linked());
  file_system.covered_ = Ref<Inode>::Share(place);
  mounts.PushBack(file_system);
  place.mounted_.store(&file_system, std::memory_order_release);
}

void UnmountAll() {
  while (true) {
    Ref<Inode> covered;
    {
      SpinLockGuard guard(mounts_lock);
      FileSystem* const last = mounts.Back();
      if (last == nullptr) {
        return;
      }
      mounts.Erase(*last);
      covered = std::move(last->covered_);
    }
    if (covered) {
      covered->mounted_.store(nullptr, std::memory_order_release);
    }
  }
}

void ForEachMount(MountVisitor visit, void* context) {
  FileSystem* at;
  {
    SpinLockGuard guard(mounts_lock);
    at = mounts.Front();
  }
  while (at != nullptr) {
    visit(*at, context);
    SpinLockGuard guard(mounts_lock);
    at = mounts.Next(*at);
  }
}

Ref<Inode> Uncovered(Ref<Inode> inode) {
  while (FileSystem* const file_system = inode->mounted()) {
    inode = Ref<Inode>::Share(file_system->root());
  }
  return inode;
}

}  // namespace nsgx::libos
