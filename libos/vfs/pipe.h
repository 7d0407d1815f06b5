// SPDX-License-Identifier: Apache-2.0
// A pipe: bytes from writers to readers, through a ring of pages. Behind pipe(2) and behind each
// FIFO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/vfs/byte_ring.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

class Pipe final : public FileObject {
 public:
  static constexpr size_t kDefaultCapacity = 65536;
  static constexpr size_t kMaxCapacity = 1 << 20;

  constexpr Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() = default;

  // Opens one end or both of a FIFO, by the access mode of `file`; waits for the other end. ENXIO:
  // nobody reads, and not to wait. EINTR.
  Result<void, Errno> OpenFifo(File& file);
  // Both ends of pipe(2) at once.
  void OpenEnds();

  // F_GETPIPE_SZ, F_SETPIPE_SZ. EBUSY: more is in it than would fit. EPERM: too large. ENOMEM.
  size_t capacity() const;
  Result<size_t, Errno> SetCapacity(size_t capacity);

  // ---- for splice and its kin, which sleep elsewhere between two steps
  // Keeps room for up to `wanted` bytes from others, until PutIn; returns for how many. EPIPE,
  // EAGAIN, EINTR, ENOMEM.
  Result<size_t, Errno> ReserveRoom(size_t wanted, bool wait);
  void PutIn(std::span<std::byte> bytes, size_t reserved);
  // Takes bytes out that may come back, until GiveBack; 0: there are none and no writers. EAGAIN,
  // EINTR.
  Result<size_t, Errno> TakeOut(std::span<std::byte> out, bool wait);
  // `rest`, the last of `taken` bytes, was of no use.
  void GiveBack(std::span<const std::byte> rest, size_t taken);
  // Copies what is there. As TakeOut, but never waits.
  Result<size_t, Errno> Look(std::span<std::byte> out);
  // Returns when there is something to read, or nobody writes.
  Result<void, Errno> WaitForBytes(bool wait);

  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request) override;
  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  bool is_pollable() const override { return true; }
  Result<size_t, Errno> ReadableBytes(File& file) override;
  void Closed(File& file) override;

 private:
  void AddEnd(File& file) REQUIRES(lock_);
  // For writers.
  size_t room() const REQUIRES(lock_) { return ring_.room() - held_; }
  bool has_ended() const REQUIRES(lock_) { return writers_ == 0 && taken_ == 0; }
  // Bytes have come: one reader each has work. Room has come: so has a writer.
  void TellReaders() REQUIRES(lock_);
  void TellWriters() REQUIRES(lock_);

  // Held while the program's memory is copied: mapped files do not want it.
  mutable SpinLock lock_;
  WaitQueue readers_waiting_ GUARDED_BY(lock_);
  WaitQueue writers_waiting_ GUARDED_BY(lock_);
  ObserverList<> observers_ GUARDED_BY(lock_);
  ByteRing ring_ GUARDED_BY(lock_){kDefaultCapacity};
  // Room that has been reserved, or that bytes may come back to; and those bytes.
  size_t held_ GUARDED_BY(lock_) = 0;
  size_t taken_ GUARDED_BY(lock_) = 0;
  uint32_t readers_ GUARDED_BY(lock_) = 0;
  uint32_t writers_ GUARDED_BY(lock_) = 0;
  // How often each end has been opened, for those who wait for the other end, which may be gone
  // again when they look.
  uint64_t reader_openings_ GUARDED_BY(lock_) = 0;
  uint64_t writer_openings_ GUARDED_BY(lock_) = 0;
};

// The two ends of a new pipe; `flags`: O_NONBLOCK.
struct PipeEnds {
  Ref<File> read;
  Ref<File> write;
};
Result<PipeEnds, Errno> MakePipe(uint32_t flags);

}  // namespace nsgx::libos
