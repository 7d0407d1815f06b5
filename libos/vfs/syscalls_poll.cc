// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <new>

#include "libos/kernel/clock.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/readiness.h"
#include "libos/vfs/syscalls.h"
#include "libos/vfs/timeout.h"

namespace nsgx::libos {
namespace {

// As many T as a call needs: a few on the stack, more from the heap.
template <typename T, size_t kFew>
class SmallArray {
 public:
  SmallArray() = default;
  ~SmallArray() {
    for (T& element : elements_) {
      element.~T();
    }
    KernelFree(heap_);
  }
  SmallArray(const SmallArray&) = delete;
  SmallArray& operator=(const SmallArray&) = delete;

  // Once. ENOMEM.
  Result<void, Errno> Make(size_t count) {
    void* memory = few_;
    if (count > kFew) {
      heap_ = KernelAllocate(count * sizeof(T));
      if (heap_ == nullptr) {
        return Error(Errno::kENOMEM);
      }
      memory = heap_;
    }
    T* const first = static_cast<T*>(memory);
    for (size_t i = 0; i < count; ++i) {
      ::new (static_cast<void*>(first + i)) T();
    }
    elements_ = std::span(first, count);
    return {};
  }

  std::span<T> span() const { return elements_; }

 private:
  alignas(T) std::byte few_[kFew * sizeof(T)];
  void* heap_ = nullptr;
  std::span<T> elements_;
};

constexpr size_t kFewFiles = 8;

SysResult Poll(UserOut<LinuxPollfd> fds, uint32_t count, Deadline deadline) {
  if (count > process_files.descriptors.limit()) {
    return Error(Errno::kEINVAL);
  }
  SmallArray<LinuxPollfd, kFewFiles> polled;
  SmallArray<ReadinessItem, kFewFiles> items;
  TRY(polled.Make(count));
  TRY(items.Make(count));
  TRY(CopyFromUser(std::as_writable_bytes(polled.span()), fds.address()));
  size_t invalid = 0;
  for (size_t i = 0; i < count; ++i) {
    LinuxPollfd& entry = polled.span()[i];
    entry.revents = 0;
    if (entry.fd < 0) {
      continue;
    }
    auto file = GetFile(entry.fd);
    if (file.ok()) {
      items.span()[i].Set(std::move(file).value(), static_cast<uint16_t>(entry.events));
    } else {
      entry.revents = static_cast<int16_t>(kPOLLNVAL);
      ++invalid;
    }
  }
  const size_t ready = TRY(WaitForReadiness(items.span(), invalid != 0 ? 0 : deadline));
  for (size_t i = 0; i < count; ++i) {
    LinuxPollfd& entry = polled.span()[i];
    if (items.span()[i].file() != nullptr) {
      entry.revents = static_cast<int16_t>(items.span()[i].ready());
    }
    // The rest of the array belongs to the program alone.
    const uint64_t address = fds.address() + i * sizeof(LinuxPollfd);
    TRY(Write(UserOut<int16_t>(address + offsetof(LinuxPollfd, revents)), entry.revents));
  }
  return static_cast<int64_t>(ready + invalid);
}

constexpr uint32_t kReadSet = kPOLLIN | kPOLLRDNORM | kPOLLRDBAND | kPOLLHUP | kPOLLERR;
constexpr uint32_t kWriteSet = kPOLLOUT | kPOLLWRNORM | kPOLLWRBAND | kPOLLERR;
constexpr uint32_t kExceptSet = kPOLLPRI;

// The three sets of select, as words of bits: asked for, and ready.
class DescriptorSets {
 public:
  static constexpr size_t kSets = 3;
  static constexpr std::array<uint32_t, kSets> kEvents = {kReadSet, kWriteSet, kExceptSet};

  Result<void, Errno> Load(const UserOut<uint64_t> (&sets)[kSets], uint32_t count) {
    words_ = (count + 63) / 64;
    TRY(asked_.Make(kSets * words_));
    TRY(ready_.Make(kSets * words_));
    for (size_t set = 0; set < kSets; ++set) {
      std::ranges::fill(Words(ready_, set), 0);
      std::ranges::fill(Words(asked_, set), 0);
      if (sets[set].is_null()) {
        continue;
      }
      TRY(CopyFromUser(std::as_writable_bytes(Words(asked_, set)), sets[set].address()));
      if (count % 64 != 0) {
        Words(asked_, set).back() &= (uint64_t{1} << (count % 64)) - 1;
      }
    }
    return {};
  }

  Result<void, Errno> Store(const UserOut<uint64_t> (&sets)[kSets]) const {
    for (size_t set = 0; set < kSets; ++set) {
      if (!sets[set].is_null()) {
        TRY(CopyToUser(sets[set].address(), std::as_bytes(Words(ready_, set))));
      }
    }
    return {};
  }

  // Calls `visit(fd, events)` for each descriptor that is in some set.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t word = 0; word < words_; ++word) {
      uint64_t any = 0;
      for (size_t set = 0; set < kSets; ++set) {
        any |= Words(asked_, set)[word];
      }
      for (; any != 0; any &= any - 1) {
        const int bit = std::countr_zero(any);
        uint32_t events = 0;
        for (size_t set = 0; set < kSets; ++set) {
          if ((Words(asked_, set)[word] >> bit & 1) != 0) {
            events |= kEvents[set];
          }
        }
        visit(static_cast<int32_t>(word * 64) + bit, events);
      }
    }
  }

  // Marks `fd` in the sets that asked for one of `events`; returns in how many.
  size_t Mark(int32_t fd, uint32_t events) {
    const size_t word = static_cast<size_t>(fd) / 64;
    const uint64_t bit = uint64_t{1} << (fd % 64);
    size_t marked = 0;
    for (size_t set = 0; set < kSets; ++set) {
      if ((Words(asked_, set)[word] & bit) != 0 && (events & kEvents[set]) != 0) {
        Words(ready_, set)[word] |= bit;
        ++marked;
      }
    }
    return marked;
  }

 private:
  using WordArray = SmallArray<uint64_t, 3 * 4>;

  std::span<uint64_t> Words(const WordArray& array, size_t set) const {
    return array.span().subspan(set * words_, words_);
  }

  size_t words_ = 0;
  WordArray asked_;
  WordArray ready_;
};

SysResult Select(int32_t count, const UserOut<uint64_t> (&sets)[DescriptorSets::kSets],
                 Deadline deadline) {
  if (count < 0) {
    return Error(Errno::kEINVAL);
  }
  DescriptorSets bits;
  TRY(bits.Load(sets, std::min(static_cast<uint32_t>(count), DescriptorTable::kMaxDescriptors)));
  size_t files = 0;
  bits.ForEach([&](int32_t, uint32_t) { ++files; });
  SmallArray<ReadinessItem, kFewFiles> items;
  TRY(items.Make(files));
  bool all_open = true;
  size_t next = 0;
  bits.ForEach([&](int32_t fd, uint32_t events) {
    auto file = GetFile(fd);
    if (file.ok()) {
      items.span()[next].Set(std::move(file).value(), events);
    } else {
      all_open = false;
    }
    ++next;
  });
  if (!all_open) {
    return Error(Errno::kEBADF);
  }
  TRY(WaitForReadiness(items.span(), deadline));
  size_t marked = 0;
  next = 0;
  bits.ForEach(
      [&](int32_t fd, uint32_t) { marked += bits.Mark(fd, items.span()[next++].ready()); });
  TRY(bits.Store(sets));
  return static_cast<int64_t>(marked);
}

}  // namespace

SysResult SysPoll(UserOut<LinuxPollfd> fds, uint32_t count, int32_t timeout_ms) {
  return Poll(fds, count, DeadlineOfMilliseconds(timeout_ms));
}

SysResult SysPpoll(UserOut<LinuxPollfd> fds, uint32_t count, UserOut<LinuxTimespec> timeout,
                   UserIn<uint64_t> signal_mask, size_t mask_size) {
  const Deadline deadline = TRY(DeadlineOfTimespec(timeout));
  TRY(UseSignalMask(signal_mask, mask_size));
  auto result = Poll(fds, count, deadline);
  TellRest(timeout, deadline);
  return result;
}

SysResult SysSelect(int32_t count, UserOut<uint64_t> read, UserOut<uint64_t> write,
                    UserOut<uint64_t> except, UserOut<LinuxTimeval> timeout) {
  const Deadline deadline = TRY(DeadlineOfTimeval(timeout));
  auto result = Select(count, {read, write, except}, deadline);
  TellRest(timeout, deadline);
  return result;
}

SysResult SysPselect6(int32_t count, UserOut<uint64_t> read, UserOut<uint64_t> write,
                      UserOut<uint64_t> except, UserOut<LinuxTimespec> timeout,
                      UserIn<LinuxSigsetArgument> signal_mask) {
  LinuxSigsetArgument mask = {.set = 0, .size = 0};
  if (!signal_mask.is_null()) {
    mask = TRY(Read(signal_mask));
  }
  const Deadline deadline = TRY(DeadlineOfTimespec(timeout));
  TRY(UseSignalMask(UserIn<uint64_t>(mask.set), mask.size));
  auto result = Select(count, {read, write, except}, deadline);
  TellRest(timeout, deadline);
  return result;
}

}  // namespace nsgx::libos
