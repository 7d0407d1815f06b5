// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/file.h"

#include <new>
#include <utility>

#include "libos/mm/kernel_heap.h"
#include "libos/vfs/epoll.h"
#include "libos/vfs/file_lock.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/notice.h"

namespace nsgx::libos {

// Open files that are not in use. They stay what they are, see descriptor_table.h; so the pool only
// grows.
class FilePool {
 public:
  File* Take() {
    {
      SpinLockGuard guard(lock_);
      if (free_ != nullptr) {
        return std::exchange(free_, free_->next_free_);
      }
    }
    void* const memory = KernelAllocate(sizeof(File));
    return memory == nullptr ? nullptr : ::new (memory) File();
  }

  void Return(File& file) {
    SpinLockGuard guard(lock_);
    file.next_free_ = std::exchange(free_, &file);
  }

  // At the end of a test: nobody has an open file any more.
  void Clear() {
    SpinLockGuard guard(lock_);
    while (free_ != nullptr) {
      File* const file = std::exchange(free_, free_->next_free_);
      file->~File();
      KernelFree(file);
    }
  }

 private:
  SpinLock lock_;
  File* free_ GUARDED_BY(lock_) = nullptr;
};

namespace {

constinit FilePool pool;

}  // namespace

void ClearFilePool() { pool.Clear(); }

Result<Ref<File>, Errno> File::New(Ref<Inode> inode, FileObject& object, uint32_t flags) {
  File* const file = pool.Take();
  if (file == nullptr) {
    return Error(Errno::kENOMEM);
  }
  const uint32_t access = flags & kO_ACCMODE;
  file->is_path_only_ = (flags & kO_PATH) != 0;
  // Access mode 3 may do neither, as on Linux.
  file->may_read_ = !file->is_path_only_ && (access == kO_RDONLY || access == kO_RDWR);
  file->may_write_ = !file->is_path_only_ && (access == kO_WRONLY || access == kO_RDWR);
  file->flags_.store(flags, std::memory_order_relaxed);
  file->object_ = &object;
  file->inode_ = std::move(inode);
  file->position = 0;
  file->attachment = nullptr;
  file->is_closing_told = false;
  file->next_free_ = nullptr;
  file->has_locks.store(false, std::memory_order_relaxed);
  file->is_watched.store(false, std::memory_order_relaxed);
  // Everything is in place before others can take references.
  file->references_.Revive();
  return Ref<File>::Adopt(file);
}

File::File() : references_(0) {}
File::~File() = default;

void File::Destroy() {
  if (is_watched.load(std::memory_order_acquire)) {
    ForgetWatchedFile(*this);
  }
  if (has_locks.load(std::memory_order_acquire)) {
    FileLocks::ReleaseOwner(inode(), this);
  }
  object_->Closed(*this);
  if (is_closing_told) {
    notice::Happened(*inode_, may_write_ ? kIN_CLOSE_WRITE : kIN_CLOSE_NOWRITE);
  }
  inode_ = nullptr;
  pool.Return(*this);
}

void File::ChangeFlags(uint32_t mask, uint32_t flags) {
  uint32_t old = flags_.load(std::memory_order_relaxed);
  while (!flags_.compare_exchange_weak(old, (old & ~mask) | (flags & mask),
                                       std::memory_order_relaxed)) {
  }
}

Result<size_t, Errno> FileObject::Read(File&, IoBuffer&, const IoRequest&) {
  return Error(Errno::kEINVAL);
}
Result<size_t, Errno> FileObject::Write(File&, IoBuffer&, const IoRequest&) {
  return Error(Errno::kEINVAL);
}
Result<int64_t, Errno> FileObject::Seek(File&, int64_t, uint32_t) { return Error(Errno::kESPIPE); }
uint32_t FileObject::Poll(File&, Observer*) {
  return kPOLLIN | kPOLLRDNORM | kPOLLOUT | kPOLLWRNORM;
}
void FileObject::Unobserve(File&, Observer&) {}
Result<size_t, Errno> FileObject::ReadableBytes(File&) { return Error(Errno::kENOTTY); }

SysResult FileObject::Control(File&, uint32_t, uint64_t) { return Error(Errno::kENOTTY); }
Result<void, Errno> FileObject::Sync(File&) { return Error(Errno::kEINVAL); }
Result<void, Errno> FileObject::ReadEntries(File&, DirectorySink&) {
  return Error(Errno::kENOTDIR);
}
MappedFile* FileObject::Mapping(File&) { return nullptr; }
void FileObject::Closed(File&) {}

Result<int64_t, Errno> SeekTarget(uint64_t position, uint64_t size, int64_t offset,
                                  uint32_t whence) {
  uint64_t base = 0;
  if (whence == kSEEK_CUR) {
    base = position;
  } else if (whence == kSEEK_END) {
    base = size;
  } else if (whence != kSEEK_SET) {
    return Error(Errno::kEINVAL);
  }
  int64_t target;
  if (__builtin_add_overflow(static_cast<int64_t>(base), offset, &target) || target < 0) {
    return Error(Errno::kEINVAL);
  }
  return target;
}

}  // namespace nsgx::libos
