// SPDX-License-Identifier: Apache-2.0
// File descriptors: small numbers for open files.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/file.h"

namespace nsgx::libos {

// Grows in chunks that stay where they are, so that looking a number up needs no lock: a File found
// in a slot may be on its way to its end, but its memory remains a File, and a reference is only
// believed when the slot still names it afterwards.
class DescriptorTable {
 public:
  static constexpr uint32_t kMaxDescriptors = 1u << 20;
  static constexpr uint32_t kDefaultLimit = 1024;

  constexpr DescriptorTable() = default;
  DescriptorTable(const DescriptorTable&) = delete;
  DescriptorTable& operator=(const DescriptorTable&) = delete;

  // Null: not open.
  Ref<File> Get(int32_t fd) const;

  // Takes the lowest free number that is not below `minimum`; nothing is open there until Install.
  // EMFILE, ENOMEM.
  Result<int32_t, Errno> Reserve(uint32_t minimum, bool close_on_exec);
  // Each ends a reservation.
  void Install(int32_t fd, Ref<File> file);
  void CancelReservation(int32_t fd);

  // Reserve and Install in one.
  Result<int32_t, Errno> Add(Ref<File> file, uint32_t minimum, bool close_on_exec);

  // Puts `file` at the number `fd`, whatever is there; returns what was. EBADF: beyond the limit.
  // EBUSY: reserved. ENOMEM.
  Result<Ref<File>, Errno> Replace(int32_t fd, Ref<File> file, bool close_on_exec);

  // Null: not open.
  Ref<File> Remove(int32_t fd);

  // EBADF.
  Result<bool, Errno> GetCloseOnExec(int32_t fd) const;
  Result<void, Errno> SetCloseOnExec(int32_t fd, bool close_on_exec);

  // The lowest open number that is not below `from`; EBADF: there is none.
  Result<int32_t, Errno> Next(uint32_t from) const;

  // RLIMIT_NOFILE: no number from here on is given out. At most kMaxDescriptors.
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void SetLimit(uint32_t limit);

  // How many are open or reserved.
  uint32_t count() const { return count_.load(std::memory_order_relaxed); }

  // Closes everything and gives the memory back. Requires: no other thread uses the table.
  void Clear();

 private:
  static constexpr uint32_t kChunkShift = 8;
  static constexpr uint32_t kChunkSize = 1u << kChunkShift;
  static constexpr uint32_t kChunks = kMaxDescriptors / kChunkSize;

  struct Chunk {
    std::atomic<File*> files[kChunkSize] = {};
    uint64_t used[kChunkSize / 64] = {};
    uint64_t close_on_exec[kChunkSize / 64] = {};
  };

  Chunk* chunk(uint32_t number) const {
    return chunks_[number >> kChunkShift].load(std::memory_order_acquire);
  }
  static uint64_t Bit(uint32_t number) { return uint64_t{1} << (number % 64); }
  static uint32_t Word(uint32_t number) { return number % kChunkSize / 64; }

  // The lowest free number from `minimum` on, or kMaxDescriptors.
  uint32_t FindFree(uint32_t minimum) const REQUIRES(lock_);
  // Null when memory is out.
  Chunk* EnsureChunk(uint32_t number) REQUIRES(lock_);
  void MarkUsed(Chunk& chunk, uint32_t number, bool close_on_exec) REQUIRES(lock_);
  void MarkFree(Chunk& chunk, uint32_t number) REQUIRES(lock_);

  mutable SpinLock lock_;
  std::atomic<uint32_t> limit_{kDefaultLimit};
  std::atomic<uint32_t> count_{0};
  // Bit n: no number is free in chunk n.
  std::array<uint64_t, kChunks / 64> full_ GUARDED_BY(lock_) = {};
  std::array<std::atomic<Chunk*>, kChunks> chunks_ = {};
};

}  // namespace nsgx::libos
