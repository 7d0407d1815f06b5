// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/pipe.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/inode.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM;

// The inode of a pipe that has no name.
class PipeInode final : public AnonymousInode {
 public:
  PipeInode() : AnonymousInode(PipeFileSystem(), kS_IFIFO | 0600) {}
  Pipe* pipe() override { return &pipe_; }
  // By way of /proc/self/fd: as a FIFO.
  Result<void, Errno> Open(File& file) override { return pipe_.OpenFifo(file); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~PipeInode() = default;
  void Destroy() override { Delete(this); }
  std::string_view label() const override { return "pipe"; }

  Pipe pipe_;
};

}  // namespace

void Pipe::AddEnd(File& file) {
  if (file.may_read()) {
    // Poll tells of a hang-up when this differs from the writers' count: always, but for a reader
    // that came before all writers.
    file.position = file.is_nonblocking() && writers_ == 0 ? writer_openings_ : UINT64_MAX;
    ++readers_;
    ++reader_openings_;
    writers_waiting_.WakeAll();
  }
  if (file.may_write()) {
    ++writers_;
    ++writer_openings_;
    readers_waiting_.WakeAll();
  }
}

Result<void, Errno> Pipe::OpenFifo(File& file) {
  lock_.Lock();
  // From here on, Closed is called for this file.
  file.set_object(*this);
  if (!file.may_read() && file.may_write() && file.is_nonblocking() && readers_ == 0) {
    file.set_object(file.inode());
    lock_.Unlock();
    return Error(Errno::kENXIO);
  }
  AddEnd(file);
  if (file.is_nonblocking() || (file.may_read() && file.may_write())) {
    lock_.Unlock();
    return {};
  }
  const uint64_t seen = file.may_read() ? writer_openings_ : reader_openings_;
  while (true) {
    const uint32_t others = file.may_read() ? writers_ : readers_;
    const uint64_t openings = file.may_read() ? writer_openings_ : reader_openings_;
    if (others != 0 || openings != seen) {
      lock_.Unlock();
      return {};
    }
    TRY(SleepOnce(file.may_read() ? readers_waiting_ : writers_waiting_, lock_, true));
    lock_.Lock();
  }
}

void Pipe::OpenEnds() {
  SpinLockGuard guard(lock_);
  ++readers_;
  ++writers_;
  ++reader_openings_;
  ++writer_openings_;
}

size_t Pipe::capacity() const {
  SpinLockGuard guard(lock_);
  return ring_.capacity();
}

Result<size_t, Errno> Pipe::SetCapacity(size_t wanted) {
  if (wanted > kMaxCapacity) {
    return Error(Errno::kEPERM);
  }
  const size_t capacity = std::bit_ceil(std::max<size_t>(wanted, kPageSize));
  ByteRing fresh(capacity);
  if (!fresh.Ensure()) {
    return Error(Errno::kENOMEM);
  }
  SpinLockGuard guard(lock_);
  if (ring_.filled() + held_ > capacity) {
    return Error(Errno::kEBUSY);
  }
  ring_.MoveTo(fresh);
  writers_waiting_.WakeAll();
  observers_.Notify(kWritable);
  return capacity;
}

void Pipe::TellReaders() {
  readers_waiting_.Wake(1);
  observers_.Notify(kReadable);
}

void Pipe::TellWriters() {
  writers_waiting_.Wake(1);
  observers_.Notify(kWritable);
}

Result<size_t, Errno> Pipe::ReserveRoom(size_t wanted, bool wait) {
  lock_.Lock();
  while (true) {
    Errno error = {};
    if (readers_ == 0) {
      error = Errno::kEPIPE;
    } else if (!ring_.Ensure()) {
      error = Errno::kENOMEM;
    } else if (room() != 0) {
      const size_t reserved = std::min(wanted, room());
      held_ += reserved;
      lock_.Unlock();
      return reserved;
    }
    if (error != Errno{}) {
      lock_.Unlock();
      return Error(error);
    }
    TRY(SleepOnce(writers_waiting_, lock_, wait));
    lock_.Lock();
  }
}

void Pipe::PutIn(std::span<std::byte> bytes, size_t reserved) {
  IoBuffer from = IoBuffer::ForKernel(bytes);
  SpinLockGuard guard(lock_);
  held_ -= reserved;
  ring_.Fill(from, bytes.size());
  if (!bytes.empty()) {
    TellReaders();
  }
  if (room() != 0) {
    TellWriters();
  }
}

Result<void, Errno> Pipe::WaitForBytes(bool wait) {
  lock_.Lock();
  while (ring_.filled() == 0 && !has_ended()) {
    TRY(SleepOnce(readers_waiting_, lock_, wait));
    lock_.Lock();
  }
  // The wake-up was for who reads, which may be another.
  if (ring_.filled() != 0) {
    readers_waiting_.Wake(1);
  }
  lock_.Unlock();
  return {};
}

Result<size_t, Errno> Pipe::TakeOut(std::span<std::byte> out, bool wait) {
  lock_.Lock();
  while (ring_.filled() == 0 && !has_ended()) {
    TRY(SleepOnce(readers_waiting_, lock_, wait));
    lock_.Lock();
  }
  IoBuffer to = IoBuffer::ForKernel(out);
  const size_t done = ring_.Drain(to, out.size());
  held_ += done;
  taken_ += done;
  lock_.Unlock();
  return done;
}

void Pipe::GiveBack(std::span<const std::byte> rest, size_t taken) {
  SpinLockGuard guard(lock_);
  held_ -= taken;
  taken_ -= taken;
  ring_.PutBack(rest);
  if (ring_.filled() != 0) {
    TellReaders();
  } else if (has_ended()) {
    readers_waiting_.WakeAll();
  }
  if (room() != 0) {
    TellWriters();
  }
}

Result<size_t, Errno> Pipe::Look(std::span<std::byte> out) {
  SpinLockGuard guard(lock_);
  if (ring_.filled() == 0 && !has_ended()) {
    return Error(Errno::kEAGAIN);
  }
  IoBuffer to = IoBuffer::ForKernel(out);
  return ring_.Peek(to, 0, out.size());
}

Result<size_t, Errno> Pipe::Read(File&, IoBuffer& to, const IoRequest& request) {
  lock_.Lock();
  while (ring_.filled() == 0) {
    if (has_ended()) {
      lock_.Unlock();
      return size_t{0};
    }
    TRY(SleepOnce(readers_waiting_, lock_, request.wait));
    lock_.Lock();
  }
  const size_t done = ring_.Drain(to, to.remaining());
  if (done != 0) {
    // A writer may wait for more room than there is now; it goes back to sleep then.
    writers_waiting_.Wake(1);
    observers_.Notify(kWritable);
  }
  if (ring_.filled() != 0) {
    // The wake-up that the writer gave to this thread serves another one too.
    readers_waiting_.Wake(1);
  }
  lock_.Unlock();
  return to.Outcome(done);
}

Result<size_t, Errno> Pipe::Write(File&, IoBuffer& from, const IoRequest& request) {
  const size_t size = from.remaining();
  // A small write goes in as a whole, or not at all.
  const size_t least = size <= kPIPE_BUF ? size : 1;
  size_t done = 0;
  lock_.Lock();
  while (true) {
    if (readers_ == 0) {
      lock_.Unlock();
      if (done != 0) {
        return done;
      }
      return Error(Errno::kEPIPE);
    }
    if (!ring_.Ensure()) {
      lock_.Unlock();
      return Error(Errno::kENOMEM);
    }
    if (room() >= (done == 0 ? least : 1)) {
      const size_t moved = ring_.Fill(from, std::min(from.remaining(), room()));
      done += moved;
      if (moved != 0) {
        readers_waiting_.Wake(1);
        observers_.Notify(kReadable);
      }
      if (from.remaining() == 0 || from.faulted()) {
        if (room() != 0) {
          writers_waiting_.Wake(1);
        }
        lock_.Unlock();
        return from.Outcome(done);
      }
      continue;
    }
    auto slept = SleepOnce(writers_waiting_, lock_, request.wait);
    if (!slept.ok()) {
      if (done != 0) {
        return done;
      }
      return Error(slept.error());
    }
    lock_.Lock();
  }
}

uint32_t Pipe::Poll(File& file, Observer* observer) {
  SpinLockGuard guard(lock_);
  if (observer != nullptr) {
    observers_.Add(*observer);
  }
  uint32_t events = 0;
  if (file.may_read()) {
    if (ring_.filled() != 0) {
      events |= kReadable;
    }
    // Before the first writer of a FIFO has come, nothing has been hung up.
    if (writers_ == 0 && writer_openings_ != file.position) {
      events |= kPOLLHUP;
    }
  }
  if (file.may_write()) {
    if (room() >= kPIPE_BUF) {
      events |= kWritable;
    }
    if (readers_ == 0) {
      events |= kPOLLERR;
    }
  }
  return events;
}

void Pipe::Unobserve(File&, Observer& observer) {
  SpinLockGuard guard(lock_);
  observers_.Remove(observer);
}

Result<size_t, Errno> Pipe::ReadableBytes(File&) {
  SpinLockGuard guard(lock_);
  return ring_.filled();
}

void Pipe::Closed(File& file) {
  ByteRing unread(kDefaultCapacity);  // given back after the lock
  SpinLockGuard guard(lock_);
  if (file.may_read()) {
    CHECK(readers_ != 0);
    --readers_;
  }
  if (file.may_write()) {
    CHECK(writers_ != 0);
    --writers_;
  }
  if (readers_ == 0) {
    writers_waiting_.WakeAll();
    observers_.Notify(kPOLLERR | kWritable);
  }
  if (writers_ == 0) {
    readers_waiting_.WakeAll();
    observers_.Notify(kPOLLHUP);
  }
  if (readers_ == 0 && writers_ == 0 && held_ == 0) {
    // What nobody has read is gone. A FIFO may live on.
    unread.Swap(ring_);
  }
}

Result<PipeEnds, Errno> MakePipe(uint32_t flags) {
  Ref<PipeInode> inode = Ref<PipeInode>::Adopt(TRY(New<PipeInode>()));
  Pipe& pipe = *inode->pipe();
  // Both ends are there before either can be closed.
  pipe.OpenEnds();
  PipeEnds ends;
  auto read = File::New(Ref<Inode>(inode.Clone()), pipe, kO_RDONLY | flags);
  if (!read.ok()) {
    return Error(read.error());
  }
  ends.read = std::move(read).value();
  ends.write = TRY(File::New(Ref<Inode>(inode.Clone()), pipe, kO_WRONLY | flags));
  return ends;
}

}  // namespace nsgx::libos
