// SPDX-License-Identifier: Apache-2.0
#include "base/crypto/arena.h"

#include <cstdint>

#include "base/core/align.h"
#include "base/core/check.h"
#include "base/core/checked.h"
#include "base/crypto/secure_zero.h"

namespace nsgx {

// Stands in front of every block, free or not; blocks fill the memory without gaps. Untouched
// memory is a header as well: zeros say "free, up to the end".
struct alignas(Arena::kAlignment) Arena::Block {
  static constexpr size_t kToTheEnd = 0;

  size_t size;  // with this header, or kToTheEnd
  bool is_used;
};

Arena::Block& Arena::BlockAt(size_t offset) const {
  return *reinterpret_cast<Block*>(memory_.data() + offset);
}

size_t Arena::SizeAt(size_t offset) const {
  const size_t size = BlockAt(offset).size;
  return size == Block::kToTheEnd ? memory_.size() - offset : size;
}

void* Arena::Allocate(size_t count, size_t size) {
  const Result<size_t> bytes = CheckedMul(count, size);
  if (!bytes.ok() || bytes.value() > memory_.size()) {
    return nullptr;
  }
  const size_t wanted = AlignUp(bytes.value() + sizeof(Block), kAlignment);

  SpinLockGuard guard(lock_);
  for (size_t offset = 0; offset < memory_.size(); offset += SizeAt(offset)) {
    Block& block = BlockAt(offset);
    const size_t room = SizeAt(offset);
    if (block.is_used || room < wanted) {
      continue;
    }
    if (room > wanted) {
      BlockAt(offset + wanted).size =
          block.size == Block::kToTheEnd ? Block::kToTheEnd : room - wanted;
    }
    block.size = wanted;
    block.is_used = true;
    used_ += wanted;
    peak_ = used_ > peak_ ? used_ : peak_;
    return &block + 1;
  }
  return nullptr;
}

void Arena::Free(void* memory) {
  if (memory == nullptr) {
    return;
  }
  SpinLockGuard guard(lock_);
  const size_t address = reinterpret_cast<uintptr_t>(memory);
  const size_t first = reinterpret_cast<uintptr_t>(memory_.data()) + sizeof(Block);
  CHECK(address >= first && address - first < memory_.size() && address % kAlignment == 0);
  const size_t offset = address - first;
  Block& block = BlockAt(offset);
  CHECK(block.is_used && block.size <= memory_.size() - offset);
  SecureZero(std::span(static_cast<std::byte*>(memory), block.size - sizeof(Block)));
  block.is_used = false;
  used_ -= block.size;
  MergeFreeBlocks();
}

// Makes one block of neighbours that are free, so that what was given back in pieces can be had as
// one again.
void Arena::MergeFreeBlocks() {
  size_t offset = 0;
  while (offset < memory_.size()) {
    Block& block = BlockAt(offset);
    const size_t next_offset = offset + SizeAt(offset);
    if (!block.is_used && next_offset == memory_.size()) {
      block.size = Block::kToTheEnd;
      return;
    }
    if (block.is_used || BlockAt(next_offset).is_used) {
      offset = next_offset;
      continue;
    }
    Block& next = BlockAt(next_offset);
    block.size = next.size == Block::kToTheEnd ? Block::kToTheEnd : block.size + next.size;
    next.size = 0;  // the memory of a free block is zero
  }
}

size_t Arena::used() const {
  SpinLockGuard guard(lock_);
  return used_;
}

size_t Arena::peak() const {
  SpinLockGuard guard(lock_);
  return peak_;
}

}  // namespace nsgx
