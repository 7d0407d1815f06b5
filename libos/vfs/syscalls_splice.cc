// SPDX-License-Identifier: Apache-2.0
// splice, tee and vmsplice: bytes from or to a pipe by way of the library OS's memory. A call moves
// what one buffer holds, which may be less than was asked for.
#include <algorithm>

#include "base/core/addr.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/notice.h"
#include "libos/vfs/pipe.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/transfer.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kNonblock = 2, kKnownFlags = 15;  // SPLICE_F_*
constexpr size_t kMaxPages = 16;

// Memory between the two sides.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() {
    if (memory_ != nullptr) {
      KernelFreePages(memory_, pages_);
    }
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // At most `wanted` bytes. ENOMEM.
  Result<std::span<std::byte>, Errno> Take(size_t wanted) {
    pages_ = std::min(wanted / kPageSize + 1, kMaxPages);
    memory_ = KernelAllocatePages(pages_, PageContents::kAny);
    if (memory_ == nullptr) {
      return Error(Errno::kENOMEM);
    }
    return std::span(memory_, std::min(wanted, pages_ * kPageSize));
  }

 private:
  std::byte* memory_ = nullptr;
  size_t pages_ = 0;
};

// The pipe that this is an end of, or null.
Pipe* PipeOf(const File& file) { return file.inode().pipe(); }

// Room in the pipe for up to `wanted` bytes, for who has SIGPIPE coming if nobody reads.
Result<size_t, Errno> Reserve(Pipe& pipe, size_t wanted, bool wait) {
  auto room = pipe.ReserveRoom(wanted, wait);
  if (!room.ok() && room.error() == Errno::kEPIPE) {
    RaiseOnCurrentThread(kBrokenPipeSignal);
  }
  return room;
}

// The side that is not a pipe is as in CopyBetweenFiles.
Result<size_t, Errno> FromPipe(Pipe& from, CopySide to, size_t size, bool wait) {
  Buffer buffer;
  const std::span<std::byte> memory = TRY(buffer.Take(size));
  const size_t taken = TRY(from.TakeOut(memory, wait));
  if (taken == 0) {
    return size_t{0};
  }
  IoBuffer out = IoBuffer::ForKernel(memory.first(taken));
  auto written = WriteFile(*to.file, out,
                           {.positioned = to.offset != nullptr,
                            .offset = to.offset != nullptr ? *to.offset : 0,
                            .wait = !to.file->is_nonblocking()});
  const size_t done = written.ok() ? written.value() : 0;
  from.GiveBack(memory.subspan(done, taken - done), taken);
  if (to.offset != nullptr) {
    *to.offset += done;
  }
  return written;
}

Result<size_t, Errno> IntoPipe(CopySide from, Pipe& to, size_t size, bool wait) {
  Buffer buffer;
  std::span<std::byte> memory = TRY(buffer.Take(size));
  const size_t room = TRY(Reserve(to, memory.size(), wait));
  IoBuffer in = IoBuffer::ForKernel(memory.first(room));
  auto read = from.file->object().Read(*from.file, in,
                                       {.positioned = from.offset != nullptr,
                                        .offset = from.offset != nullptr ? *from.offset : 0,
                                        .wait = !from.file->is_nonblocking()});
  const size_t done = read.ok() ? read.value() : 0;
  to.PutIn(memory.first(done), room);
  if (done != 0) {
    notice::Happened(from.file->inode(), kIN_ACCESS);
  }
  if (from.offset != nullptr) {
    *from.offset += done;
  }
  return read;
}

Result<size_t, Errno> BetweenPipes(Pipe& from, bool wait_for_bytes, Pipe& to, bool wait_for_room,
                                   size_t size, bool keep) {
  Buffer buffer;
  std::span<std::byte> memory = TRY(buffer.Take(size));
  // Bytes first: nobody is to find a pipe full because of a reservation that waits for them.
  while (true) {
    TRY(from.WaitForBytes(wait_for_bytes));
    const size_t room = TRY(Reserve(to, memory.size(), wait_for_room));
    auto taken = keep ? from.Look(memory.first(room)) : from.TakeOut(memory.first(room), false);
    const size_t done = taken.ok() ? taken.value() : 0;
    to.PutIn(memory.first(done), room);
    if (!keep) {
      from.GiveBack({}, done);
    }
    if (taken.ok() || taken.error() != Errno::kEAGAIN || !wait_for_bytes) {
      return taken;
    }
    // Somebody else has had them.
  }
}

}  // namespace

SysResult SysSplice(int32_t in, UserOut<int64_t> in_offset, int32_t out,
                    UserOut<int64_t> out_offset, size_t size, uint32_t flags) {
  if (size == 0) {
    return 0;
  }
  if ((flags & ~kKnownFlags) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<File> from = TRY(GetReadable(in));
  const Ref<File> to = TRY(GetWritable(out));
  Pipe* const source = PipeOf(*from);
  Pipe* const sink = PipeOf(*to);
  const bool wait = (flags & kNonblock) == 0;
  if ((source != nullptr && !in_offset.is_null()) || (sink != nullptr && !out_offset.is_null())) {
    return Error(Errno::kESPIPE);
  }
  if (source != nullptr && sink != nullptr) {
    if (source == sink) {
      return Error(Errno::kEINVAL);
    }
    return Count(BetweenPipes(*source, wait && !from->is_nonblocking(), *sink,
                              wait && !to->is_nonblocking(), size, false));
  }
  if (source == nullptr && sink == nullptr) {
    return Error(Errno::kEINVAL);
  }
  File& other = source != nullptr ? *to : *from;
  const UserOut<int64_t> offset = source != nullptr ? out_offset : in_offset;
  if (other.inode().is_directory() || (source != nullptr && (other.flags() & kO_APPEND) != 0)) {
    return Error(Errno::kEINVAL);
  }
  uint64_t at = 0;
  if (!offset.is_null()) {
    if (!other.object().is_seekable()) {
      return Error(Errno::kEINVAL);
    }
    const int64_t given = TRY(Read(UserIn<int64_t>(offset.address())));
    if (given < 0) {
      return Error(Errno::kEINVAL);
    }
    at = static_cast<uint64_t>(given);
  }
  const CopySide place = {.file = &other, .offset = offset.is_null() ? nullptr : &at};
  const int64_t moved =
      TRY(Count(source != nullptr ? FromPipe(*source, place, size, wait && !from->is_nonblocking())
                                  : IntoPipe(place, *sink, size, wait && !to->is_nonblocking())));
  if (!offset.is_null()) {
    TRY(Write(offset, static_cast<int64_t>(at)));
  }
  return moved;
}

SysResult SysTee(int32_t in, int32_t out, size_t size, uint32_t flags) {
  if ((flags & ~kKnownFlags) != 0) {
    return Error(Errno::kEINVAL);
  }
  if (size == 0) {
    return 0;
  }
  const Ref<File> from = TRY(GetReadable(in));
  const Ref<File> to = TRY(GetWritable(out));
  Pipe* const source = PipeOf(*from);
  Pipe* const sink = PipeOf(*to);
  if (source == nullptr || sink == nullptr || source == sink) {
    return Error(Errno::kEINVAL);
  }
  const bool wait = (flags & kNonblock) == 0;
  return Count(BetweenPipes(*source, wait && !from->is_nonblocking(), *sink,
                            wait && !to->is_nonblocking(), size, true));
}

SysResult SysVmsplice(int32_t fd, UserIn<LinuxIovec> segments, size_t count, uint32_t flags) {
  if ((flags & ~kKnownFlags) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<File> file = TRY(GetFile(fd));
  if (!file->may_write() && !file->may_read()) {
    return Error(Errno::kEBADF);
  }
  if (count > static_cast<size_t>(kIOV_MAX)) {
    return Error(Errno::kEINVAL);
  }
  SegmentList list;
  TRY(list.Load(segments, static_cast<int32_t>(count)));
  IoBuffer program = IoBuffer::ForUserSegments(list.segments());
  if (program.remaining() == 0) {
    return 0;
  }
  Pipe* const pipe = PipeOf(*file);
  if (pipe == nullptr) {
    return Error(Errno::kEBADF);
  }
  const bool wait = (flags & kNonblock) == 0 && !file->is_nonblocking();
  if (!file->may_write()) {
    return Count(pipe->Read(*file, program, {.wait = wait}));
  }
  Buffer buffer;
  const std::span<std::byte> memory = TRY(buffer.Take(program.remaining()));
  const size_t room = TRY(Reserve(*pipe, memory.size(), wait));
  const size_t done = program.Take(memory.first(room));
  pipe->PutIn(memory.first(done), room);
  return Count(program.Outcome(done));
}

}  // namespace nsgx::libos
