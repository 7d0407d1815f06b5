// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/hostfs/host_file.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/fs/hostfs/host_fs.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {
namespace {

// Between the window and the program's memory, or the library OS's.
class ToBuffer final : public host::FileSink {
 public:
  explicit ToBuffer(IoBuffer& buffer) : buffer_(buffer) {}
  size_t Put(std::span<const std::byte> bytes) override {
    return buffer_.Put(bytes.first(std::min(bytes.size(), buffer_.remaining())));
  }

 private:
  IoBuffer& buffer_;
};

class FromBuffer final : public host::FileSource {
 public:
  explicit FromBuffer(IoBuffer& buffer) : buffer_(buffer) {}
  size_t Fill(std::span<std::byte> room) override {
    return buffer_.Take(room.first(std::min(room.size(), buffer_.remaining())));
  }

 private:
  IoBuffer& buffer_;
};

}  // namespace

HostFile::~HostFile() {
  SpinLockGuard guard(lock_);
  CHECK(!writing_ && ahead_users_ == 0);
  if (ahead_ != nullptr) {
    KernelFreePages(ahead_, kAheadPages);
  }
}

void HostFile::SetReady() {
  SpinLockGuard guard(lock_);
  can_read_ = can_write_ = true;
}

void HostFile::SetUnnamed(bool linkable) {
  SetReady();
  is_linkable_.store(linkable, std::memory_order_relaxed);
}

Result<void, Errno> HostFile::Open(File& file) {
  bool read = file.may_read();
  bool write = file.may_write();
  {
    SpinLockGuard guard(lock_);
    ahead_size_ = 0;  // who opens a file sees what others have written before
    read = read && !can_read_;
    write = write && !can_write_;
  }
  if (!read && !write) {
    return {};
  }
  TRY(host::FileOpen(token(), read, write));
  SpinLockGuard guard(lock_);
  can_read_ = can_read_ || read;
  can_write_ = can_write_ || write;
  return {};
}

void HostFile::BeginWriting() {
  while (writing_) {
    Block(writers_waiting_, lock_, kForever, false);
    lock_.Lock();
  }
  writing_ = true;
  ahead_size_ = 0;
  hostfs().NoteDataChange();
}

void HostFile::EndWriting() {
  // What was read or said since BeginWriting may be older than the change.
  ahead_size_ = 0;
  hostfs().NoteDataChange();
  Expire();
  writing_ = false;
  writers_waiting_.Wake(1);
}

// ---- reading

Result<size_t, Errno> HostFile::Read(File& file, IoBuffer& to, const IoRequest& request) {
  uint64_t offset = 0;
  size_t size = 0;
  for (bool is_fresh = false;; is_fresh = true) {
    bool is_old;
    {
      SpinLockGuard guard(lock_);
      offset = request.positioned ? request.offset : file.position;
      size = offset < size_ ? std::min<uint64_t>(to.remaining(), size_ - offset) : 0;
      // Somebody outside may have made the file longer.
      is_old = size == 0 && IsOld();
      if (!request.positioned) {
        file.position = offset + size;
      }
    }
    if (size != 0 || is_fresh || !is_old) {
      break;
    }
    RefreshStatus();
  }
  if (size == 0) {
    return size_t{0};
  }
  size_t done = size <= kSmall ? ReadFromBuffer(offset, size, to) : 0;
  std::optional<Errno> error;
  if (done == 0 && !to.faulted()) {
    const auto read = ReadDirectly(offset, size, to);
    if (read.ok()) {
      done = read.value();
    } else {
      error = read.error();
    }
  }
  if (done < size && !request.positioned) {
    SpinLockGuard guard(lock_);
    if (file.position == offset + size) {
      file.position = offset + done;
    }
  }
  if (error) {
    return Error(*error);
  }
  return to.Outcome(done);
}

Result<size_t, Errno> HostFile::ReadDirectly(uint64_t offset, size_t size, IoBuffer& to) {
  ToBuffer sink(to);
  size_t done = 0;
  while (done < size && !to.faulted()) {
    auto read = host::FileRead(token(), offset + done, size - done, sink);
    if (!read.ok()) {
      if (done == 0) {
        return Error(read.error());
      }
      break;
    }
    if (read.value() == 0) {
      break;  // it has become shorter
    }
    done += read.value();
  }
  return done;
}

size_t HostFile::ReadFromBuffer(uint64_t offset, size_t size, IoBuffer& to) {
  for (bool is_filled = false;; is_filled = true) {
    std::byte* bytes = nullptr;
    bool fill = false;
    {
      SpinLockGuard guard(lock_);
      const bool holds = ahead_size_ != 0 && offset >= ahead_offset_ &&
                         offset - ahead_offset_ + size <= ahead_size_ &&
                         MonotonicNow() < ahead_until_ && !ahead_filling_;
      if (holds) {
        bytes = ahead_ + (offset - ahead_offset_);
        ++ahead_users_;
      } else {
        // Worth it once somebody goes on where a read ended, and there is more than this one wants.
        fill = !is_filled && offset == last_end_ && offset != 0 && size_ - offset > size &&
               !ahead_filling_ && ahead_users_ == 0 && !writing_;
        ahead_filling_ = ahead_filling_ || fill;
      }
      if (!fill) {
        last_end_ = offset + size;
      }
    }
    if (bytes != nullptr) {
      const size_t done = to.Put(std::span(bytes, size));
      SpinLockGuard guard(lock_);
      --ahead_users_;
      return done;
    }
    if (!fill) {
      return 0;
    }
    FillBuffer(offset);
  }
}

void HostFile::FillBuffer(uint64_t offset) {
  std::byte* memory;
  uint64_t epoch;
  {
    SpinLockGuard guard(lock_);
    memory = ahead_;
    epoch = hostfs().epoch().data;
  }
  if (memory == nullptr) {
    memory = KernelAllocatePages(kAheadPages, PageContents::kAny);
  }
  size_t size = 0;
  if (memory != nullptr) {
    IoBuffer buffer = IoBuffer::ForKernel(std::span(memory, kAheadPages * kPageSize));
    size = ReadDirectly(offset, buffer.remaining(), buffer).value_or(size_t{0});
  }
  SpinLockGuard guard(lock_);
  ahead_ = memory;
  ahead_offset_ = offset;
  // Not if something was written meanwhile.
  ahead_size_ = hostfs().epoch().data == epoch ? size : 0;
  ahead_until_ = MonotonicNow() + kHostBelief;
  ahead_filling_ = false;
}

// ---- writing

Result<size_t, Errno> HostFile::Write(File& file, IoBuffer& from, const IoRequest& request) {
  if (request.append) {
    RefreshStatus();  // where the end is now, if others write there too
  }
  SpinLockGuard guard(lock_);
  BeginWriting();
  const uint64_t offset = request.append       ? size_
                          : request.positioned ? request.offset
                                               : file.position;
  if (offset >= request.size_limit) {
    EndWriting();
    return Error(Errno::kEFBIG);
  }
  const size_t size = std::min<uint64_t>(from.remaining(), request.size_limit - offset);
  lock_.Unlock();
  FromBuffer source(from);
  size_t done = 0;
  std::optional<Errno> error;
  while (done < size && !from.faulted()) {
    const size_t before = from.remaining();
    auto written = host::FileWrite(token(), offset + done, size - done, source);
    if (!written.ok()) {
      error = written.error();
      break;
    }
    done += written.value();
    if (written.value() < before - from.remaining() || written.value() == 0) {
      break;  // what the host did not take has left the buffer already
    }
  }
  lock_.Lock();
  if (done != 0) {
    size_ = std::max(size_, offset + done);
    if (!request.positioned) {
      file.position = offset + done;
    }
  }
  EndWriting();
  if (done == 0 && error) {
    return Error(*error);
  }
  if (request.durable) {
    lock_.Unlock();
    const auto synced = SyncData(file);
    lock_.Lock();
    if (!synced.ok()) {
      return Error(synced.error());
    }
  }
  return from.Outcome(done);
}

Result<void, Errno> HostFile::Truncate(uint64_t size) {
  SpinLockGuard guard(lock_);
  BeginWriting();
  lock_.Unlock();
  auto outcome = host::FileResize(token(), size);
  lock_.Lock();
  if (outcome.ok()) {
    size_ = size;
    can_write_ = true;
  }
  EndWriting();
  return outcome;
}

Result<void, Errno> HostFile::Allocate(uint32_t mode, uint64_t offset, uint64_t size,
                                       uint64_t size_limit) {
  const bool may_grow = (mode & kFALLOC_FL_KEEP_SIZE) == 0;
  SpinLockGuard guard(lock_);
  BeginWriting();
  if (may_grow && offset + size > size_ && offset + size > size_limit) {
    EndWriting();
    return Error(Errno::kEFBIG);
  }
  lock_.Unlock();
  auto outcome = host::FileAllocate(token(), mode, offset, size);
  lock_.Lock();
  if (outcome.ok() && may_grow) {
    size_ = std::max(size_, offset + size);
  }
  EndWriting();
  return outcome;
}

Result<void, Errno> HostFile::Sync(File&) {
  return host::FileSync(token(), host::FileSyncKind::kAll);
}

Result<void, Errno> HostFile::SyncData(File&) {
  return host::FileSync(token(), host::FileSyncKind::kData);
}

// ---- everything else

Result<int64_t, Errno> HostFile::Seek(File& file, int64_t offset, uint32_t whence) {
  if (whence == kSEEK_DATA || whence == kSEEK_HOLE) {
    uint64_t size;
    {
      SpinLockGuard guard(lock_);
      size = size_;
    }
    if (offset < 0 || static_cast<uint64_t>(offset) >= size) {
      return Error(Errno::kENXIO);
    }
    const uint64_t found = TRY(host::FileSeek(token(), whence, static_cast<uint64_t>(offset)));
    // Nothing is behind the end that is known inside.
    const uint64_t target = std::min(found, size);
    if (whence == kSEEK_DATA && target == size) {
      return Error(Errno::kENXIO);
    }
    SpinLockGuard guard(lock_);
    file.position = target;
    return static_cast<int64_t>(target);
  }
  if (whence == kSEEK_END) {
    RefreshStatus();
  }
  SpinLockGuard guard(lock_);
  const int64_t target = TRY(SeekTarget(file.position, size_, offset, whence));
  file.position = static_cast<uint64_t>(target);
  return target;
}

Result<size_t, Errno> HostFile::ReadableBytes(File& file) {
  SpinLockGuard guard(lock_);
  return file.position >= size_ ? 0 : size_ - file.position;
}

Result<size_t, Errno> HostFile::ReadForMapping(uint64_t offset, std::span<std::byte> out) {
  IoBuffer to = IoBuffer::ForKernel(out);
  return ReadDirectly(offset, out.size(), to);
}

Result<void, Errno> HostFile::WriteBack(uint64_t offset, std::span<const std::byte> data) {
  size_t size;
  {
    // Not BeginWriting, which sleeps: the address space is locked. A write at the same time wins or
    // loses, as two writes do.
    SpinLockGuard guard(lock_);
    size = offset < size_ ? std::min<uint64_t>(data.size(), size_ - offset) : 0;
    ahead_size_ = 0;
  }
  hostfs().NoteDataChange();
  // A buffer is for both directions, so it cannot be const; nothing is written to this one.
  IoBuffer from = IoBuffer::ForKernel(std::span(const_cast<std::byte*>(data.data()), size));
  FromBuffer source(from);
  size_t done = 0;
  std::optional<Errno> error;
  while (done < size && !error) {
    auto written = host::FileWrite(token(), offset + done, size - done, source);
    if (!written.ok()) {
      error = written.error();
    } else if (written.value() != size - from.remaining() - done) {
      error = Errno::kEIO;  // not all that was taken from the buffer
    } else {
      done += written.value();
    }
  }
  hostfs().NoteDataChange();
  SpinLockGuard guard(lock_);
  ahead_size_ = 0;
  Expire();
  if (error) {
    return Error(*error);
  }
  return {};
}

}  // namespace nsgx::libos
