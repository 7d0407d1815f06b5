// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/byte_ring.h"

#include <algorithm>

#include "base/core/addr.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

ByteRing::~ByteRing() {
  if (memory_ != nullptr) {
    KernelFreePages(memory_, capacity_ / kPageSize);
  }
}

bool ByteRing::Ensure() {
  if (memory_ == nullptr) {
    memory_ = KernelAllocatePages(capacity_ / kPageSize, PageContents::kAny);
  }
  return memory_ != nullptr;
}

void ByteRing::MoveTo(ByteRing& fresh) {
  if (filled_ != 0) {
    const size_t first = std::min(filled_, capacity_ - begin_);
    std::copy_n(memory_ + begin_, first, fresh.memory_);
    std::copy_n(memory_, filled_ - first, fresh.memory_ + first);
  }
  fresh.filled_ = std::exchange(filled_, 0);
  Swap(fresh);
}

void ByteRing::Swap(ByteRing& other) {
  std::swap(memory_, other.memory_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(filled_, other.filled_);
}

size_t ByteRing::Drain(IoBuffer& to, size_t most) {
  size_t done = 0;
  while (done < most && filled_ != 0 && to.remaining() != 0 && !to.faulted()) {
    const size_t step = std::min({most - done, filled_, to.remaining(), capacity_ - begin_});
    const size_t moved = to.Put({memory_ + begin_, step});
    begin_ += moved;
    if (begin_ == capacity_) {
      begin_ = 0;
    }
    filled_ -= moved;
    done += moved;
  }
  return done;
}

size_t ByteRing::Peek(IoBuffer& to, size_t offset, size_t most) const {
  size_t done = 0;
  while (done < most && offset + done < filled_ && to.remaining() != 0 && !to.faulted()) {
    const size_t at = (begin_ + offset + done) % capacity_;
    const size_t step =
        std::min({most - done, filled_ - offset - done, to.remaining(), capacity_ - at});
    done += to.Put({memory_ + at, step});
  }
  return done;
}

void ByteRing::PutBack(std::span<const std::byte> bytes) {
  begin_ = (begin_ + capacity_ - bytes.size()) % capacity_;
  filled_ += bytes.size();
  const size_t first = std::min(bytes.size(), capacity_ - begin_);
  std::copy_n(bytes.data(), first, memory_ + begin_);
  std::copy_n(bytes.data() + first, bytes.size() - first, memory_);
}

size_t ByteRing::Fill(IoBuffer& from, size_t most) {
  size_t done = 0;
  while (done < most && room() != 0 && from.remaining() != 0 && !from.faulted()) {
    const size_t end = (begin_ + filled_) % capacity_;
    const size_t step = std::min({most - done, from.remaining(), room(), capacity_ - end});
    const size_t moved = from.Take({memory_ + end, step});
    filled_ += moved;
    done += moved;
  }
  return done;
}

}  // namespace nsgx::libos
