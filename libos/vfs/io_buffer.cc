// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/io_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {
namespace {

// Calls `copy(offset, size)` for the whole, and if that faults, page by page, to learn how far it
// goes. The pages are those of the program's memory: a fault is a matter of whole pages.
template <typename Copy>
size_t CopyUntilFault(uint64_t address, size_t size, Copy copy) {
  if (copy(0, size)) [[likely]] {
    return size;
  }
  size_t done = 0;
  while (done < size) {
    const size_t to_page_end = kPageSize - ((address + done) & kPageMask);
    const size_t step = std::min<size_t>(size - done, to_page_end);
    if (!copy(done, step)) {
      break;
    }
    done += step;
  }
  return done;
}

std::byte* KernelPointer(uint64_t address) { return reinterpret_cast<std::byte*>(address); }

}  // namespace

IoBuffer IoBuffer::ForUserSegments(std::span<const LinuxIovec> segments) {
  size_t total = 0;
  for (const LinuxIovec& segment : segments) {
    total += segment.iov_len;
  }
  IoBuffer buffer(0, 0, false);
  buffer.next_ = segments.data();
  buffer.remaining_ = total;
  return buffer;
}

template <typename Copy>
size_t IoBuffer::Move(size_t size, Copy copy) {
  CHECK(size <= remaining_);
  size_t done = 0;
  while (done < size && !faulted_) {
    if (stretch_ == 0) {
      // More is left, so there is a next one.
      address_ = next_->iov_base;
      stretch_ = next_->iov_len;
      ++next_;
      continue;
    }
    const size_t wanted = std::min(size - done, stretch_);
    const size_t moved = copy(address_, done, wanted);
    faulted_ = moved < wanted;
    address_ += moved;
    stretch_ -= moved;
    done += moved;
  }
  remaining_ -= done;
  return done;
}

size_t IoBuffer::Put(std::span<const std::byte> data) {
  return Move(data.size(), [&](uint64_t address, size_t from, size_t size) {
    if (is_kernel_) {
      std::memcpy(KernelPointer(address), data.data() + from, size);
      return size;
    }
    return CopyUntilFault(address, size, [&](size_t offset, size_t step) {
      return CopyToUser(address + offset, data.subspan(from + offset, step)).ok();
    });
  });
}

size_t IoBuffer::PutZeros(size_t size) {
  return Move(size, [&](uint64_t address, size_t, size_t wanted) {
    if (is_kernel_) {
      std::memset(KernelPointer(address), 0, wanted);
      return wanted;
    }
    return CopyUntilFault(address, wanted, [&](size_t offset, size_t step) {
      return ZeroUser(address + offset, step).ok();
    });
  });
}

size_t IoBuffer::Take(std::span<std::byte> data) {
  return Move(data.size(), [&](uint64_t address, size_t to, size_t size) {
    if (is_kernel_) {
      std::memcpy(data.data() + to, KernelPointer(address), size);
      return size;
    }
    return CopyUntilFault(address, size, [&](size_t offset, size_t step) {
      return CopyFromUser(data.subspan(to + offset, step), address + offset).ok();
    });
  });
}

std::span<const std::byte> IoBuffer::OwnMemory(size_t size) const {
  CHECK(size <= remaining_);
  return is_kernel_ ? std::span<const std::byte>(KernelPointer(address_), size)
                    : std::span<const std::byte>();
}

void IoBuffer::Skip(size_t size) {
  Move(size, [](uint64_t, size_t, size_t wanted) { return wanted; });
}

}  // namespace nsgx::libos
