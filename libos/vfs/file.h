// SPDX-License-Identifier: Apache-2.0
// An open file description: what open makes, descriptors share, and reads and writes go through.
// Its behaviour is that of a FileObject: a regular file of some file system, a pipe, a device.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/core/intrusive_list.h"
#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/mm/mapped_file.h"
#include "libos/vfs/io_buffer.h"
#include "libos/vfs/linux_abi.h"
#include "libos/vfs/observer.h"
#include "libos/vfs/ref.h"

namespace nsgx::libos {

class DirectorySink;
class Epoll;
class EpollItem;
struct EpollItemsOfFile;
class File;
class Inode;
class Socket;

inline constexpr uint64_t kMaxFileSize = INT64_MAX;

// How one transfer is meant.
struct IoRequest {
  // At `offset`, and the position of the open file is left alone (pread); otherwise at that
  // position, and it moves.
  bool positioned = false;
  uint64_t offset = 0;
  bool append = false;   // writes go to the end, wherever the position is
  bool wait = true;      // sleeps until something can be moved, instead of EAGAIN
  bool durable = false;  // a write returns when it is where fsync would bring it
  // Writes stop here with EFBIG: RLIMIT_FSIZE.
  uint64_t size_limit = kMaxFileSize;
};

// Objects that some system calls work on alone, for those calls to know them by.
enum class ObjectKind : uint8_t {
  kOther,
  kTimer,     // timerfd
  kSignals,   // signalfd
  kNotices,   // inotify
  kMessages,  // message queue
  kProcess,   // pidfd
};

// What can be done with an open file. The defaults are those of an object that cannot do it. Calls
// may sleep unless noted; several threads may be in the same object at once.
class FileObject {
 public:
  // Moves up to buffer.remaining() bytes, which is not 0 but for writes to a socket; returns how
  // many. 0 from Read is the end. EAGAIN: nothing to move now, and not to wait. EINTR: a signal
  // came before anything was moved.
  virtual Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request);
  virtual Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request);

  // Moves the position of `file`; returns the new one. ESPIPE by default.
  virtual Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence);
  // Whether pread and pwrite mean something. False by default.
  virtual bool is_seekable() const { return false; }

  // kPOLL* bits that are set now. If `observer` is not null, it is registered as well, in one step,
  // so that no later change can be missed; registering again is harmless. By default a file is
  // always ready, and nobody is registered.
  virtual uint32_t Poll(File& file, Observer* observer);
  // OnReady of `observer` is not running and will not be called any more.
  virtual void Unobserve(File& file, Observer& observer);
  // Whether epoll makes sense: EPERM for regular files and directories.
  virtual bool is_pollable() const { return false; }

  virtual ObjectKind kind() const { return ObjectKind::kOther; }
  // The set of files that this is, or null.
  virtual Epoll* epoll() { return nullptr; }
  // The socket that this is, or null.
  virtual Socket* socket() { return nullptr; }

  // FIONREAD: how much a read would find now. ENOTTY by default.
  virtual Result<size_t, Errno> ReadableBytes(File& file);
  // Every other ioctl. ENOTTY: not one that this object knows.
  virtual SysResult Control(File& file, uint32_t request, uint64_t argument);
  // fsync. EINVAL by default: nothing is stored.
  virtual Result<void, Errno> Sync(File& file);
  // fdatasync.
  virtual Result<void, Errno> SyncData(File& file) { return Sync(file); }
  // Gives the entries from the position of `file` on to `sink`, until it is full. ENOTDIR by
  // default.
  virtual Result<void, Errno> ReadEntries(File& file, DirectorySink& sink);
  // For mmap; null: cannot be mapped. Lives as long as `file`, or longer by its own references.
  virtual MappedFile* Mapping(File& file);
  // The last descriptor is gone. Does not fail and does not sleep for long.
  virtual void Closed(File& file);

 protected:
  ~FileObject() = default;
};

// One open file description. Its memory is reused for others of its kind only, so that a descriptor
// can be looked up without a lock.
class File final {
 public:
  // An open file of `inode` that behaves as `object`, with the caller's reference. `flags` as given
  // to open. ENOMEM.
  static Result<Ref<File>, Errno> New(Ref<Inode> inode, FileObject& object, uint32_t flags);

  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void AddReference() { references_.Add(); }
  void DropReference() {
    if (references_.Drop()) {
      Destroy();
    }
  }
  // For who found it without a reference.
  [[nodiscard]] bool TryAddReference() { return references_.AddUnlessZero(); }

  // A moment old.
  uint32_t reference_count() const { return references_.value(); }

  Inode& inode() const { return *inode_; }
  FileObject& object() const { return *object_; }

  bool may_read() const { return may_read_; }
  bool may_write() const { return may_write_; }
  // Opened with O_PATH: a place in the tree, nothing more.
  bool is_path_only() const { return is_path_only_; }
  // Access mode and status flags, as F_GETFL has them.
  uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }
  bool is_nonblocking() const { return (flags() & kO_NONBLOCK) != 0; }
  // Replaces the bits in `mask`.
  void ChangeFlags(uint32_t mask, uint32_t flags);

  // For the object alone.
  void set_object(FileObject& object) { object_ = &object; }
  SpinLock& lock() { return lock_; }
  // Where reads and writes go on. Protected by a lock of the object's choice.
  uint64_t position = 0;
  // What the object keeps for this open file.
  void* attachment = nullptr;

  // It was opened by a path, so who watches the file learns when it is closed.
  bool is_closing_told = false;

  // This open file holds an flock or a lock of its own: to be released with it.
  std::atomic<bool> has_locks{false};
  // Some epoll watches it, or has done so: what, under epoll's own lock.
  std::atomic<bool> is_watched{false};
  IntrusiveList<EpollItem, EpollItemsOfFile> watchers;

 private:
  friend class FilePool;

  File();
  ~File();
  void Destroy();

  ReferenceCount references_;
  bool may_read_ = false;
  bool may_write_ = false;
  bool is_path_only_ = false;
  std::atomic<uint32_t> flags_{0};
  FileObject* object_ = nullptr;
  Ref<Inode> inode_;
  SpinLock lock_;
  File* next_free_ = nullptr;
};

// At the end of a test: gives back the memory of open files that are not in use.
void ClearFilePool();

// Where the position goes when an object of known size is told to seek. EINVAL: before the start,
// or beyond all numbers.
Result<int64_t, Errno> SeekTarget(uint64_t position, uint64_t size, int64_t offset,
                                  uint32_t whence);

}  // namespace nsgx::libos
