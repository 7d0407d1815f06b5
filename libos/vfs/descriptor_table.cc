// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/descriptor_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/core/check.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {

Ref<File> DescriptorTable::Get(int32_t fd) const {
  const uint32_t number = static_cast<uint32_t>(fd);
  if (number >= kMaxDescriptors) {
    return nullptr;
  }
  Chunk* const in = chunk(number);
  if (in == nullptr) {
    return nullptr;
  }
  std::atomic<File*>& slot = in->files[number % kChunkSize];
  while (true) {
    File* const file = slot.load(std::memory_order_acquire);
    if (file == nullptr) {
      return nullptr;
    }
    if (file->TryAddReference()) {
      Ref<File> reference = Ref<File>::Adopt(file);
      if (slot.load(std::memory_order_acquire) == file) {
        return reference;
      }
    }
    // Closed, or replaced, under our eyes.
  }
}

uint32_t DescriptorTable::FindFree(uint32_t minimum) const {
  uint32_t number = minimum;
  while (number < kMaxDescriptors) {
    const uint32_t index = number >> kChunkShift;
    // Passes over full chunks, 64 at a time.
    const uint64_t not_full = ~full_[index / 64] & (~uint64_t{0} << (index % 64));
    if (not_full == 0) {
      number = (index / 64 + 1) * 64 << kChunkShift;
      continue;
    }
    const uint32_t candidate = index / 64 * 64 + static_cast<uint32_t>(std::countr_zero(not_full));
    number = std::max(number, candidate << kChunkShift);
    const Chunk* const in = chunk(number);
    if (in == nullptr) {
      return number;
    }
    for (uint32_t word = Word(number); word < kChunkSize / 64; ++word) {
      const uint64_t free = ~in->used[word] & (~uint64_t{0} << (number % 64));
      if (free != 0) {
        return (candidate << kChunkShift) + word * 64 +
               static_cast<uint32_t>(std::countr_zero(free));
      }
      number = (candidate << kChunkShift) + (word + 1) * 64;
    }
  }
  return kMaxDescriptors;
}

DescriptorTable::Chunk* DescriptorTable::EnsureChunk(uint32_t number) {
  Chunk* const there = chunk(number);
  if (there != nullptr) {
    return there;
  }
  auto fresh = New<Chunk>();
  if (!fresh.ok()) {
    return nullptr;
  }
  chunks_[number >> kChunkShift].store(fresh.value(), std::memory_order_release);
  return fresh.value();
}

void DescriptorTable::MarkUsed(Chunk& in, uint32_t number, bool close_on_exec) {
  uint64_t& used = in.used[Word(number)];
  CHECK((used & Bit(number)) == 0);
  used |= Bit(number);
  if (close_on_exec) {
    in.close_on_exec[Word(number)] |= Bit(number);
  } else {
    in.close_on_exec[Word(number)] &= ~Bit(number);
  }
  count_.store(count() + 1, std::memory_order_relaxed);
  if (used == ~uint64_t{0} && std::all_of(std::begin(in.used), std::end(in.used),
                                          [](uint64_t word) { return word == ~uint64_t{0}; })) {
    const uint32_t index = number >> kChunkShift;
    full_[index / 64] |= uint64_t{1} << (index % 64);
  }
}

void DescriptorTable::MarkFree(Chunk& in, uint32_t number) {
  in.used[Word(number)] &= ~Bit(number);
  const uint32_t index = number >> kChunkShift;
  full_[index / 64] &= ~(uint64_t{1} << (index % 64));
  count_.store(count() - 1, std::memory_order_relaxed);
}

Result<int32_t, Errno> DescriptorTable::Reserve(uint32_t minimum, bool close_on_exec) {
  SpinLockGuard guard(lock_);
  const uint32_t number = FindFree(minimum);
  if (number >= limit()) {
    return Error(Errno::kEMFILE);
  }
  Chunk* const in = EnsureChunk(number);
  if (in == nullptr) {
    return Error(Errno::kENOMEM);
  }
  MarkUsed(*in, number, close_on_exec);
  return static_cast<int32_t>(number);
}

void DescriptorTable::Install(int32_t fd, Ref<File> file) {
  const uint32_t number = static_cast<uint32_t>(fd);
  std::atomic<File*>& slot = chunk(number)->files[number % kChunkSize];
  DCHECK(slot.load(std::memory_order_relaxed) == nullptr);  // on the way of every open
  slot.store(file.Release(), std::memory_order_release);
}

void DescriptorTable::CancelReservation(int32_t fd) {
  const uint32_t number = static_cast<uint32_t>(fd);
  SpinLockGuard guard(lock_);
  MarkFree(*chunk(number), number);
}

Result<int32_t, Errno> DescriptorTable::Add(Ref<File> file, uint32_t minimum, bool close_on_exec) {
  const int32_t fd = TRY(Reserve(minimum, close_on_exec));
  Install(fd, std::move(file));
  return fd;
}

Result<Ref<File>, Errno> DescriptorTable::Replace(int32_t fd, Ref<File> file, bool close_on_exec) {
  const uint32_t number = static_cast<uint32_t>(fd);
  SpinLockGuard guard(lock_);
  if (number >= limit()) {
    return Error(Errno::kEBADF);
  }
  Chunk* const in = EnsureChunk(number);
  if (in == nullptr) {
    return Error(Errno::kENOMEM);
  }
  std::atomic<File*>& slot = in->files[number % kChunkSize];
  File* const old = slot.load(std::memory_order_relaxed);
  if ((in->used[Word(number)] & Bit(number)) != 0) {
    if (old == nullptr) {
      return Error(Errno::kEBUSY);
    }
    MarkFree(*in, number);
  }
  MarkUsed(*in, number, close_on_exec);
  slot.store(file.Release(), std::memory_order_release);
  return Ref<File>::Adopt(old);
}

Ref<File> DescriptorTable::Remove(int32_t fd) {
  const uint32_t number = static_cast<uint32_t>(fd);
  if (number >= kMaxDescriptors) {
    return nullptr;
  }
  SpinLockGuard guard(lock_);
  Chunk* const in = chunk(number);
  if (in == nullptr) {
    return nullptr;
  }
  File* const file = in->files[number % kChunkSize].exchange(nullptr, std::memory_order_acq_rel);
  if (file != nullptr) {
    MarkFree(*in, number);
  }
  return Ref<File>::Adopt(file);
}

Result<bool, Errno> DescriptorTable::GetCloseOnExec(int32_t fd) const {
  const uint32_t number = static_cast<uint32_t>(fd);
  SpinLockGuard guard(lock_);
  const Chunk* const in = number < kMaxDescriptors ? chunk(number) : nullptr;
  if (in == nullptr || in->files[number % kChunkSize].load(std::memory_order_relaxed) == nullptr) {
    return Error(Errno::kEBADF);
  }
  return (in->close_on_exec[Word(number)] & Bit(number)) != 0;
}

Result<void, Errno> DescriptorTable::SetCloseOnExec(int32_t fd, bool close_on_exec) {
  const uint32_t number = static_cast<uint32_t>(fd);
  SpinLockGuard guard(lock_);
  Chunk* const in = number < kMaxDescriptors ? chunk(number) : nullptr;
  if (in == nullptr || in->files[number % kChunkSize].load(std::memory_order_relaxed) == nullptr) {
    return Error(Errno::kEBADF);
  }
  uint64_t& word = in->close_on_exec[Word(number)];
  word = close_on_exec ? word | Bit(number) : word & ~Bit(number);
  return {};
}

Result<int32_t, Errno> DescriptorTable::Next(uint32_t from) const {
  uint32_t number = from;
  while (number < kMaxDescriptors) {
    const Chunk* const in = chunk(number);
    if (in == nullptr) {
      number = ((number >> kChunkShift) + 1) << kChunkShift;
      continue;
    }
    if (in->files[number % kChunkSize].load(std::memory_order_relaxed) != nullptr) {
      return static_cast<int32_t>(number);
    }
    ++number;
  }
  return Error(Errno::kEBADF);
}

void DescriptorTable::SetLimit(uint32_t limit) {
  limit_.store(std::min(limit, kMaxDescriptors), std::memory_order_relaxed);
}

void DescriptorTable::Clear() {
  for (uint32_t from = 0;;) {
    const auto fd = Next(from);
    if (!fd.ok()) {
      break;
    }
    Remove(fd.value());
    from = static_cast<uint32_t>(fd.value()) + 1;
  }
  SpinLockGuard guard(lock_);
  for (std::atomic<Chunk*>& slot : chunks_) {
    Delete(slot.exchange(nullptr, std::memory_order_relaxed));
  }
  full_.fill(0);
  limit_.store(kDefaultLimit, std::memory_order_relaxed);
}

}  // namespace nsgx::libos
