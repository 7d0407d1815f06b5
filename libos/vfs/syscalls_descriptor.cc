// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "libos/vfs/file_lock.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/pipe.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"

namespace nsgx::libos {
namespace {

// What F_SETFL may change.
constexpr uint32_t kSettableFlags = kO_APPEND | kO_NONBLOCK | kO_DIRECT | kO_NOATIME | kO_ASYNC;

// POSIX: closing any descriptor of a file releases all locks that the process has on it.
void NoteClosed(File& file) {
  if (file.inode().locks.load(std::memory_order_acquire) != nullptr) {
    FileLocks::ReleaseOwner(file.inode(), kProcessLocks);
  }
}

SysResult Duplicate(Ref<File> file, uint64_t minimum, bool close_on_exec) {
  DescriptorTable& descriptors = process_files.descriptors;
  if (minimum >= descriptors.limit()) {
    return Error(Errno::kEINVAL);
  }
  return int64_t{
      TRY(descriptors.Add(std::move(file), static_cast<uint32_t>(minimum), close_on_exec))};
}

SysResult DuplicateTo(int32_t from, int32_t to, bool close_on_exec) {
  Ref<File> file = TRY(GetFileOrPath(from));
  if (to < 0) {
    return Error(Errno::kEBADF);
  }
  const Ref<File> old = TRY(process_files.descriptors.Replace(to, std::move(file), close_on_exec));
  if (old) {
    NoteClosed(*old);
  }
  return int64_t{to};
}

// ---- locks

// The bytes that a struct flock means. EINVAL, EOVERFLOW.
Result<LockRange, Errno> RangeOf(File& file, const LinuxFlock& lock) {
  int64_t start = lock.l_start;
  int64_t base = 0;
  if (lock.l_whence == static_cast<int16_t>(kSEEK_CUR)) {
    auto position = file.object().Seek(file, 0, kSEEK_CUR);
    base = position.ok() ? position.value() : 0;
  } else if (lock.l_whence == static_cast<int16_t>(kSEEK_END)) {
    base = static_cast<int64_t>(file.inode().GetStatus().size);
  } else if (lock.l_whence != static_cast<int16_t>(kSEEK_SET)) {
    return Error(Errno::kEINVAL);
  }
  int64_t end;
  if (__builtin_add_overflow(base, start, &start) ||
      __builtin_add_overflow(start, lock.l_len, &end)) {
    return Error(Errno::kEOVERFLOW);
  }
  if (lock.l_len < 0) {
    std::swap(start, end);
  }
  if (start < 0) {
    return Error(Errno::kEINVAL);
  }
  const uint64_t first = static_cast<uint64_t>(start);
  return LockRange{
      .first = first,
      .last = lock.l_len == 0 ? static_cast<uint64_t>(INT64_MAX) : static_cast<uint64_t>(end) - 1};
}

SysResult QueryLock(File& file, UserOut<LinuxFlock> argument, LockOwner owner) {
  LinuxFlock lock = TRY(Read(UserIn<LinuxFlock>(argument.address())));
  if (lock.l_type != kF_RDLCK && lock.l_type != kF_WRLCK) {
    return Error(Errno::kEINVAL);
  }
  if (owner != kProcessLocks && lock.l_pid != 0) {
    return Error(Errno::kEINVAL);
  }
  const LockRange range = TRY(RangeOf(file, lock));
  FileLocks* const locks = file.inode().locks.load(std::memory_order_acquire);
  const LockKind kind = lock.l_type == kF_WRLCK ? LockKind::kExclusive : LockKind::kShared;
  const auto conflict = locks == nullptr ? std::nullopt : locks->FindConflict(owner, range, kind);
  if (!conflict) {
    lock.l_type = kF_UNLCK;
  } else {
    const bool to_end = conflict->range.last == static_cast<uint64_t>(INT64_MAX);
    lock.l_type = conflict->kind == LockKind::kExclusive ? kF_WRLCK : kF_RDLCK;
    lock.l_whence = static_cast<int16_t>(kSEEK_SET);
    lock.l_start = static_cast<int64_t>(conflict->range.first);
    lock.l_len =
        to_end ? 0 : static_cast<int64_t>(conflict->range.last - conflict->range.first + 1);
    lock.l_pid = conflict->owner == kProcessLocks ? about::ProcessId() : -1;
  }
  TRY(Write(argument, lock));
  return 0;
}

SysResult ChangeLock(File& file, UserIn<LinuxFlock> argument, LockOwner owner, bool wait) {
  const LinuxFlock lock = TRY(Read(argument));
  if (owner != kProcessLocks && lock.l_pid != 0) {
    return Error(Errno::kEINVAL);
  }
  const LockRange range = TRY(RangeOf(file, lock));
  std::optional<LockKind> kind;
  if (lock.l_type == kF_RDLCK) {
    if (!file.may_read()) {
      return Error(Errno::kEBADF);
    }
    kind = LockKind::kShared;
  } else if (lock.l_type == kF_WRLCK) {
    if (!file.may_write()) {
      return Error(Errno::kEBADF);
    }
    kind = LockKind::kExclusive;
  } else if (lock.l_type != kF_UNLCK) {
    return Error(Errno::kEINVAL);
  }
  FileLocks& locks = *TRY(FileLocks::Of(file.inode()));
  if (owner != kProcessLocks) {
    file.has_locks.store(true, std::memory_order_release);
  }
  TRY(locks.SetRange(owner, range, kind, wait));
  return 0;
}

Result<Pipe*, Errno> PipeOf(const File& file) {
  Pipe* const pipe = file.inode().pipe();
  if (pipe == nullptr) {
    return Error(Errno::kEBADF);
  }
  return pipe;
}

}  // namespace

SysResult SysClose(int32_t fd) {
  const Ref<File> file = process_files.descriptors.Remove(fd);
  if (!file) {
    return Error(Errno::kEBADF);
  }
  NoteClosed(*file);
  return 0;
}

SysResult SysCloseRange(uint32_t first, uint32_t last, uint32_t flags) {
  if ((flags & ~(kCLOSE_RANGE_UNSHARE | kCLOSE_RANGE_CLOEXEC)) != 0 || first > last) {
    return Error(Errno::kEINVAL);
  }
  DescriptorTable& descriptors = process_files.descriptors;
  for (uint32_t from = first;;) {
    const auto next = descriptors.Next(from);
    if (!next.ok() || static_cast<uint32_t>(next.value()) > last) {
      return 0;
    }
    if ((flags & kCLOSE_RANGE_CLOEXEC) == 0) {
      const Ref<File> file = descriptors.Remove(next.value());
      if (file) {
        NoteClosed(*file);
      }
    } else {
      // It may have been closed meanwhile, which is as good.
      static_cast<void>(descriptors.SetCloseOnExec(next.value(), true));
    }
    from = static_cast<uint32_t>(next.value()) + 1;
  }
}

SysResult SysDup(int32_t fd) {
  return int64_t{TRY(process_files.descriptors.Add(TRY(GetFileOrPath(fd)), 0, false))};
}

SysResult SysDup2(int32_t from, int32_t to) {
  if (from == to) {
    TRY(GetFileOrPath(from));
    return int64_t{to};
  }
  return DuplicateTo(from, to, false);
}

SysResult SysDup3(int32_t from, int32_t to, uint32_t flags) {
  if ((flags & ~kO_CLOEXEC) != 0 || from == to) {
    return Error(Errno::kEINVAL);
  }
  return DuplicateTo(from, to, flags != 0);
}

SysResult SysFcntl(int32_t fd, uint32_t command, uint64_t argument) {
  Ref<File> file = TRY(GetFileOrPath(fd));
  switch (command) {
    case kF_DUPFD:
      return Duplicate(std::move(file), argument, false);
    case kF_DUPFD_CLOEXEC:
      return Duplicate(std::move(file), argument, true);
    case kF_GETFD:
      return int64_t{TRY(process_files.descriptors.GetCloseOnExec(fd)) ? kFD_CLOEXEC : 0};
    case kF_SETFD:
      TRY(process_files.descriptors.SetCloseOnExec(fd, (argument & kFD_CLOEXEC) != 0));
      return 0;
    case kF_GETFL:
      return int64_t{file->flags()};
    default:
      break;
  }
  if (file->is_path_only()) {
    return Error(Errno::kEBADF);
  }
  switch (command) {
    case kF_SETFL:
      file->ChangeFlags(kSettableFlags, static_cast<uint32_t>(argument));
      return 0;
    case kF_GETLK:
      return QueryLock(*file, UserOut<LinuxFlock>(argument), kProcessLocks);
    case kF_SETLK:
    case kF_SETLKW:
      return ChangeLock(*file, UserIn<LinuxFlock>(argument), kProcessLocks, command == kF_SETLKW);
    case kF_OFD_GETLK:
      return QueryLock(*file, UserOut<LinuxFlock>(argument), file.get());
    case kF_OFD_SETLK:
    case kF_OFD_SETLKW:
      return ChangeLock(*file, UserIn<LinuxFlock>(argument), file.get(), command == kF_OFD_SETLKW);
    case kF_GETPIPE_SZ:
      return static_cast<int64_t>(TRY(PipeOf(*file))->capacity());
    case kF_SETPIPE_SZ:
      if (argument > INT32_MAX) {
        return Error(Errno::kEINVAL);
      }
      return static_cast<int64_t>(TRY(TRY(PipeOf(*file))->SetCapacity(argument)));
    case kF_GET_SEALS:
      return int64_t{TRY(file->inode().GetSeals())};
    case kF_ADD_SEALS:
      if (!file->may_write()) {
        return Error(Errno::kEPERM);
      }
      TRY(file->inode().AddSeals(static_cast<uint32_t>(argument)));
      return 0;
    default:
      return Error(Errno::kEINVAL);
  }
}

SysResult SysFlock(int32_t fd, uint32_t operation) {
  const Ref<File> file = TRY(GetFile(fd));
  std::optional<LockKind> kind;
  switch (operation & ~kLOCK_NB) {
    case kLOCK_SH:
      kind = LockKind::kShared;
      break;
    case kLOCK_EX:
      kind = LockKind::kExclusive;
      break;
    case kLOCK_UN:
      break;
    default:
      return Error(Errno::kEINVAL);
  }
  FileLocks& locks = *TRY(FileLocks::Of(file->inode()));
  file->has_locks.store(true, std::memory_order_release);
  TRY(locks.SetWhole(file.get(), kind, (operation & kLOCK_NB) == 0));
  return 0;
}

SysResult SysIoctl(int32_t fd, uint32_t request, uint64_t argument) {
  const Ref<File> file = TRY(GetFile(fd));
  switch (request) {
    case kFIOCLEX:
    case kFIONCLEX:
      TRY(process_files.descriptors.SetCloseOnExec(fd, request == kFIOCLEX));
      return 0;
    case kFIONBIO: {
      const int32_t on = TRY(Read(UserIn<int32_t>(argument)));
      file->ChangeFlags(kO_NONBLOCK, on != 0 ? kO_NONBLOCK : 0);
      return 0;
    }
    case kFIONREAD: {
      const size_t bytes = TRY(file->object().ReadableBytes(*file));
      TRY(Write(UserOut<int32_t>(argument), static_cast<int32_t>(bytes)));
      return 0;
    }
    default:
      return file->object().Control(*file, request, argument);
  }
}

}  // namespace nsgx::libos
