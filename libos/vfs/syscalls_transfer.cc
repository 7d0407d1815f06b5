// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "libos/vfs/access.h"
#include "libos/vfs/file_system.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/transfer.h"

namespace nsgx::libos {
namespace {

SysResult ReadInto(File& file, IoBuffer& to, const IoRequest& request) {
  if (to.remaining() == 0) {
    if (file.inode().is_directory()) {
      return Error(Errno::kEISDIR);
    }
    return 0;
  }
  auto read = file.object().Read(file, to, request);
  if (read.ok() && read.value() != 0) {
    notice::Happened(file.inode(), kIN_ACCESS);
  }
  return Count(std::move(read));
}

SysResult WriteFrom(File& file, IoBuffer& from, const IoRequest& request) {
  // An empty datagram is one all the same.
  if (from.remaining() == 0 && file.object().socket() == nullptr) {
    return 0;
  }
  return Count(WriteFile(file, from, request));
}

// `offset` of pread and its kin. EINVAL, ESPIPE.
Result<IoRequest, Errno> At(const File& file, int64_t offset) {
  if (offset < 0) {
    return Error(Errno::kEINVAL);
  }
  if (!file.object().is_seekable()) {
    return Error(Errno::kESPIPE);
  }
  return IoRequest{
      .positioned = true, .offset = static_cast<uint64_t>(offset), .wait = !file.is_nonblocking()};
}

// The request that flags of preadv2 and pwritev2 mean. An offset of -1 is the position of the open
// file.
Result<IoRequest, Errno> AtWithFlags(const File& file, int64_t offset, uint32_t flags) {
  constexpr uint32_t kKnown = kRWF_HIPRI | kRWF_DSYNC | kRWF_SYNC | kRWF_NOWAIT | kRWF_APPEND;
  if ((flags & ~kKnown) != 0) {
    return Error(Errno::kEOPNOTSUPP);
  }
  IoRequest request = {.wait = !file.is_nonblocking()};
  if (offset != -1) {
    request = TRY(At(file, offset));
  }
  request.append = (flags & kRWF_APPEND) != 0;
  request.durable = (flags & (kRWF_DSYNC | kRWF_SYNC)) != 0;
  request.wait = request.wait && (flags & kRWF_NOWAIT) == 0;
  return request;
}

SysResult ReadVector(File& file, UserIn<LinuxIovec> segments, int32_t count,
                     const IoRequest& request) {
  SegmentList list;
  TRY(list.Load(segments, count));
  IoBuffer to = IoBuffer::ForUserSegments(list.segments());
  return ReadInto(file, to, request);
}

SysResult WriteVector(File& file, UserIn<LinuxIovec> segments, int32_t count,
                      const IoRequest& request) {
  SegmentList list;
  TRY(list.Load(segments, count));
  IoBuffer from = IoBuffer::ForUserSegments(list.segments());
  return WriteFrom(file, from, request);
}

SysResult TruncateInode(Inode& inode, int64_t size) {
  const uint64_t limit = process_files.size_limit();
  const uint64_t wanted = static_cast<uint64_t>(size);
  if (wanted > limit && wanted > inode.GetStatus().size) {
    RaiseOnCurrentThread(kFileSizeSignal);
    return Error(Errno::kEFBIG);
  }
  TRY(inode.Truncate(wanted));
  notice::Happened(inode, kIN_MODIFY);
  return 0;
}

// sync_file_range, readahead: nothing is ever on its way to or from a disk.
SysResult AcceptForRange(int32_t fd, int64_t offset, int64_t size) {
  const Ref<File> file = TRY(GetFile(fd));
  int64_t end;
  if (offset < 0 || size < 0 || __builtin_add_overflow(offset, size, &end)) {
    return Error(Errno::kEINVAL);
  }
  if (!file->object().is_seekable()) {
    return Error(Errno::kESPIPE);
  }
  return 0;
}

}  // namespace

SysResult SysRead(int32_t fd, UserOut<std::byte> buffer, size_t size) {
  const Ref<File> file = TRY(GetReadable(fd));
  IoBuffer to = IoBuffer::ForUser(buffer.address(), std::min(size, kMAX_RW_COUNT));
  return ReadInto(*file, to, {.wait = !file->is_nonblocking()});
}

SysResult SysWrite(int32_t fd, UserIn<std::byte> buffer, size_t size) {
  const Ref<File> file = TRY(GetWritable(fd));
  IoBuffer from = IoBuffer::ForUser(buffer.address(), std::min(size, kMAX_RW_COUNT));
  return WriteFrom(*file, from, {.wait = !file->is_nonblocking()});
}

SysResult SysPread64(int32_t fd, UserOut<std::byte> buffer, size_t size, int64_t offset) {
  const Ref<File> file = TRY(GetReadable(fd));
  IoBuffer to = IoBuffer::ForUser(buffer.address(), std::min(size, kMAX_RW_COUNT));
  return ReadInto(*file, to, TRY(At(*file, offset)));
}

SysResult SysPwrite64(int32_t fd, UserIn<std::byte> buffer, size_t size, int64_t offset) {
  const Ref<File> file = TRY(GetWritable(fd));
  IoBuffer from = IoBuffer::ForUser(buffer.address(), std::min(size, kMAX_RW_COUNT));
  return WriteFrom(*file, from, TRY(At(*file, offset)));
}

SysResult SysReadv(int32_t fd, UserIn<LinuxIovec> segments, int32_t count) {
  const Ref<File> file = TRY(GetReadable(fd));
  return ReadVector(*file, segments, count, {.wait = !file->is_nonblocking()});
}

SysResult SysWritev(int32_t fd, UserIn<LinuxIovec> segments, int32_t count) {
  const Ref<File> file = TRY(GetWritable(fd));
  return WriteVector(*file, segments, count, {.wait = !file->is_nonblocking()});
}

SysResult SysPreadv(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset) {
  const Ref<File> file = TRY(GetReadable(fd));
  return ReadVector(*file, segments, count, TRY(At(*file, offset)));
}

SysResult SysPwritev(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset) {
  const Ref<File> file = TRY(GetWritable(fd));
  return WriteVector(*file, segments, count, TRY(At(*file, offset)));
}

SysResult SysPreadv2(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset,
                     uint64_t, uint32_t flags) {
  const Ref<File> file = TRY(GetReadable(fd));
  return ReadVector(*file, segments, count, TRY(AtWithFlags(*file, offset, flags)));
}

SysResult SysPwritev2(int32_t fd, UserIn<LinuxIovec> segments, int32_t count, int64_t offset,
                      uint64_t, uint32_t flags) {
  const Ref<File> file = TRY(GetWritable(fd));
  const int64_t written =
      TRY(WriteVector(*file, segments, count, TRY(AtWithFlags(*file, offset, flags))));
  if ((flags & (kRWF_DSYNC | kRWF_SYNC)) != 0 && written != 0) {
    TRY(file->object().Sync(*file));
  }
  return written;
}

SysResult SysSendfile(int32_t out, int32_t in, UserOut<int64_t> offset, size_t size) {
  uint64_t at = 0;
  if (!offset.is_null()) {
    const int64_t given = TRY(Read(UserIn<int64_t>(offset.address())));
    if (given < 0) {
      return Error(Errno::kEINVAL);
    }
    at = static_cast<uint64_t>(given);
  }
  const Ref<File> from = TRY(GetReadable(in));
  const Ref<File> to = TRY(GetWritable(out));
  if (!from->object().is_seekable()) {
    return Error(offset.is_null() ? Errno::kEINVAL : Errno::kESPIPE);
  }
  if ((to->flags() & kO_APPEND) != 0 || from->inode().is_directory()) {
    return Error(Errno::kEINVAL);
  }
  const size_t done =
      TRY(CopyBetweenFiles({.file = from.get(), .offset = offset.is_null() ? nullptr : &at},
                           {.file = to.get(), .offset = nullptr}, std::min(size, kMAX_RW_COUNT)));
  if (!offset.is_null()) {
    TRY(Write(offset, static_cast<int64_t>(at)));
  }
  return static_cast<int64_t>(done);
}

SysResult SysCopyFileRange(int32_t in, UserOut<int64_t> in_offset, int32_t out,
                           UserOut<int64_t> out_offset, size_t size, uint32_t flags) {
  const Ref<File> from = TRY(GetReadable(in));
  const Ref<File> to = TRY(GetWritable(out));
  if (flags != 0) {
    return Error(Errno::kEINVAL);
  }
  if (from->inode().is_directory() || to->inode().is_directory()) {
    return Error(Errno::kEISDIR);
  }
  if (!from->inode().is_regular() || !to->inode().is_regular() || !from->object().is_seekable() ||
      !to->object().is_seekable()) {
    return Error(Errno::kEINVAL);
  }
  if ((to->flags() & kO_APPEND) != 0) {
    return Error(Errno::kEBADF);
  }
  const auto load = [](File& file, UserOut<int64_t> offset) -> Result<uint64_t, Errno> {
    const int64_t at = offset.is_null() ? TRY(file.object().Seek(file, 0, kSEEK_CUR))
                                        : TRY(Read(UserIn<int64_t>(offset.address())));
    if (at < 0) {
      return Error(Errno::kEINVAL);
    }
    return static_cast<uint64_t>(at);
  };
  uint64_t in_at = TRY(load(*from, in_offset));
  uint64_t out_at = TRY(load(*to, out_offset));
  const size_t wanted = std::min(size, kMAX_RW_COUNT);
  if (in_at + wanted > kMaxFileSize || out_at + wanted > kMaxFileSize) {
    return Error(Errno::kEOVERFLOW);
  }
  if (&from->inode() == &to->inode() && in_at < out_at + wanted && out_at < in_at + wanted) {
    return Error(Errno::kEINVAL);
  }
  const size_t done = TRY(CopyBetweenFiles({.file = from.get(), .offset = &in_at},
                                           {.file = to.get(), .offset = &out_at}, wanted));
  const auto store = [](File& file, UserOut<int64_t> offset, uint64_t at) -> Result<void, Errno> {
    if (!offset.is_null()) {
      return Write(offset, static_cast<int64_t>(at));
    }
    TRY(file.object().Seek(file, static_cast<int64_t>(at), kSEEK_SET));
    return {};
  };
  TRY(store(*from, in_offset, in_at));
  TRY(store(*to, out_offset, out_at));
  return static_cast<int64_t>(done);
}

SysResult SysLseek(int32_t fd, int64_t offset, uint32_t whence) {
  const Ref<File> file = TRY(GetFile(fd));
  if (whence > kSEEK_HOLE) {
    return Error(Errno::kEINVAL);
  }
  return file->object().Seek(*file, offset, whence);
}

SysResult SysFtruncate(int32_t fd, int64_t size) {
  if (size < 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<File> file = TRY(GetFile(fd));
  if (!file->may_write() || !file->inode().is_regular()) {
    return Error(Errno::kEINVAL);
  }
  return TruncateInode(file->inode(), size);
}

SysResult SysTruncate(UserIn<char> path, int64_t size) {
  if (size < 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<Inode> inode = TRY(ResolvePath(kAT_FDCWD, path, true));
  if (inode->is_directory()) {
    return Error(Errno::kEISDIR);
  }
  if (!inode->is_regular()) {
    return Error(Errno::kEINVAL);
  }
  TRY(CheckAccess(*inode, kW_OK, process_credentials.effective));
  return TruncateInode(*inode, size);
}

SysResult SysFallocate(int32_t fd, uint32_t mode, int64_t offset, int64_t size) {
  const Ref<File> file = TRY(GetFile(fd));
  int64_t end;
  if (offset < 0 || size <= 0) {
    return Error(Errno::kEINVAL);
  }
  constexpr uint32_t kHole = kFALLOC_FL_PUNCH_HOLE | kFALLOC_FL_KEEP_SIZE;
  if (mode != 0 && mode != kFALLOC_FL_KEEP_SIZE && mode != kHole) {
    return Error(Errno::kEOPNOTSUPP);
  }
  if (!file->may_write()) {
    return Error(Errno::kEBADF);
  }
  Inode& inode = file->inode();
  if (inode.type() == kS_IFIFO) {
    return Error(Errno::kESPIPE);
  }
  if (inode.is_directory()) {
    return Error(Errno::kEISDIR);
  }
  if (!inode.is_regular()) {
    return Error(Errno::kENODEV);
  }
  if (__builtin_add_overflow(offset, size, &end)) {
    return Error(Errno::kEFBIG);
  }
  auto done = inode.Allocate(mode, static_cast<uint64_t>(offset), static_cast<uint64_t>(size),
                             process_files.size_limit());
  if (!done.ok()) {
    if (done.error() == Errno::kEFBIG) {
      RaiseOnCurrentThread(kFileSizeSignal);
    }
    return Error(done.error());
  }
  notice::Happened(inode, kIN_MODIFY);
  return 0;
}

SysResult SysFadvise64(int32_t fd, int64_t, int64_t size, uint32_t advice) {
  constexpr uint32_t kLastAdvice = 5;  // POSIX_FADV_NOREUSE
  const Ref<File> file = TRY(GetFile(fd));
  if (file->inode().type() == kS_IFIFO) {
    return Error(Errno::kESPIPE);
  }
  if (size < 0 || advice > kLastAdvice) {
    return Error(Errno::kEINVAL);
  }
  return 0;
}

SysResult SysReadahead(int32_t fd, int64_t, size_t) {
  const Ref<File> file = TRY(GetReadable(fd));
  if (!file->inode().is_regular()) {
    return Error(Errno::kEINVAL);
  }
  return 0;
}

SysResult SysFsync(int32_t fd) {
  const Ref<File> file = TRY(GetFile(fd));
  TRY(file->object().Sync(*file));
  return 0;
}

SysResult SysFdatasync(int32_t fd) {
  const Ref<File> file = TRY(GetFile(fd));
  TRY(file->object().SyncData(*file));
  return 0;
}

SysResult SysSyncFileRange(int32_t fd, int64_t offset, int64_t size, uint32_t flags) {
  constexpr uint32_t kKnown = 7;
  if ((flags & ~kKnown) != 0) {
    return Error(Errno::kEINVAL);
  }
  return AcceptForRange(fd, offset, size);
}

SysResult SysSync() {
  // There is nobody to tell of a failure.
  ForEachMount(
      [](FileSystem& file_system, void*) { static_cast<void>(file_system.SyncAll().ok()); },
      nullptr);
  return 0;
}

SysResult SysSyncfs(int32_t fd) {
  TRY(TRY(GetFile(fd))->inode().file_system().SyncAll());
  return 0;
}

}  // namespace nsgx::libos
