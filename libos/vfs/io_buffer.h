// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a read go to, or those of a write come from: one or many stretches of the
// program's memory, or one of the library OS's own (for transfers from file to file).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "libos/kernel/errno.h"
#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// A place in the stretches that only moves forward. Copying stops for good at the first byte that
// the program may not touch; what was copied before stays copied, and the caller reports a short
// transfer.
//
// The program's memory may fault, and whoever resolves the fault may ask a mapped file for its
// bytes: so no lock is held here that MappedFile takes.
class IoBuffer {
 public:
  static IoBuffer ForUser(uint64_t address, size_t size) { return IoBuffer(address, size, false); }
  // Requires: the sizes add up to at most kMAX_RW_COUNT, and `segments` outlives the buffer.
  static IoBuffer ForUserSegments(std::span<const LinuxIovec> segments);
  static IoBuffer ForKernel(std::span<std::byte> memory) {
    return IoBuffer(reinterpret_cast<uint64_t>(memory.data()), memory.size(), true);
  }

  size_t remaining() const { return remaining_; }
  // The program's memory could not be touched.
  bool faulted() const { return faulted_; }

  // Requires: size <= remaining(). Each returns how many bytes were moved; fewer than asked for
  // means a fault.
  //
  // To the reader:
  size_t Put(std::span<const std::byte> data);
  size_t PutZeros(size_t size);
  // From the writer:
  size_t Take(std::span<std::byte> data);
  // The next `size` bytes where they lie, if that is the library OS's own memory; empty: it is not.
  // Does not move forward.
  std::span<const std::byte> OwnMemory(size_t size) const;
  // Passes over bytes without touching them.
  void Skip(size_t size);

  // What a transfer that moved `done` bytes reports: EFAULT only if a fault was met before the
  // first byte.
  Result<size_t, Errno> Outcome(size_t done) const {
    if (done == 0 && faulted_) {
      return Error(Errno::kEFAULT);
    }
    return done;
  }

 private:
  IoBuffer(uint64_t address, size_t size, bool is_kernel)
      : address_(address), stretch_(size), remaining_(size), is_kernel_(is_kernel) {}

  template <typename Copy>
  size_t Move(size_t size, Copy copy);

  uint64_t address_;  // of the current stretch, from here on
  size_t stretch_;    // what is left of it
  size_t remaining_;  // what is left of all
  const LinuxIovec* next_ = nullptr;
  bool is_kernel_;
  bool faulted_ = false;
};

}  // namespace nsgx::libos
