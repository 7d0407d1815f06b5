// SPDX-License-Identifier: Apache-2.0
#include "libos/net/host_sockets.h"

#include <span>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/socket_wait.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

class HostSocketTable final : public SocketEventSink {
 public:
  Result<uint32_t, Errno> Add(HostSocket& socket) {
    SpinLockGuard guard(lock_);
    if (!is_told_) {
      SetSocketEventSink(this);
      is_told_ = true;
    }
    if (first_free_ == kNone) {
      TRY(Grow());
    }
    const uint32_t number = first_free_;
    Slot& slot = At(number);
    first_free_ = slot.next_free;
    slot.socket = &socket;
    return number;
  }

  void Remove(uint32_t number) {
    SpinLockGuard guard(lock_);
    At(number).socket = nullptr;
  }

  void Free(uint32_t number) {
    SpinLockGuard guard(lock_);
    At(number).next_free = first_free_;
    first_free_ = number;
  }

  void OnSocketEvents(std::span<const host::Ready> events, uint64_t wait) override {
    for (const host::Ready& event : events) {
      const uint32_t number = event.source - host::kSocketSource;
      SpinLockGuard guard(lock_);
      // A number that is not in use is old news, or a lie.
      if (number < size_ && At(number).socket != nullptr) {
        At(number).socket->OnHostEvents(event.events, wait);
      }
    }
  }

  void Clear() {
    SpinLockGuard guard(lock_);
    for (uint32_t chunk = 0; chunk < size_ / kChunkSize; ++chunk) {
      KernelFreePages(reinterpret_cast<std::byte*>(chunks_[chunk]), 1);
    }
    size_ = 0;
    first_free_ = kNone;
    is_told_ = false;
    SetSocketEventSink(nullptr);
  }

 private:
  struct Slot {
    HostSocket* socket;
    uint32_t next_free;
  };
  static constexpr uint32_t kChunkSize = kPageSize / sizeof(Slot);
  static constexpr uint32_t kNone = UINT32_MAX;

  Slot& At(uint32_t number) REQUIRES(lock_) {
    DCHECK(number < size_);
    return chunks_[number / kChunkSize][number % kChunkSize];
  }

  Result<void, Errno> Grow() REQUIRES(lock_) {
    if (size_ == host::kMaxSockets) {
      return Error(Errno::kENFILE);
    }
    std::byte* const page = KernelAllocatePages(1, PageContents::kZero);
    if (page == nullptr) {
      return Error(Errno::kENOMEM);
    }
    chunks_[size_ / kChunkSize] = reinterpret_cast<Slot*>(page);
    size_ += kChunkSize;
    // The lowest number comes first.
    for (uint32_t number = size_; number != size_ - kChunkSize; --number) {
      At(number - 1).next_free = first_free_;
      first_free_ = number - 1;
    }
    return {};
  }

  SpinLock lock_;
  Slot* chunks_[host::kMaxSockets / kChunkSize] GUARDED_BY(lock_) = {};
  uint32_t size_ GUARDED_BY(lock_) = 0;
  uint32_t first_free_ GUARDED_BY(lock_) = kNone;
  bool is_told_ GUARDED_BY(lock_) = false;
};

[[clang::no_destroy]] constinit HostSocketTable table;

}  // namespace

Result<uint32_t, Errno> AddHostSocket(HostSocket& socket) { return table.Add(socket); }
void RemoveHostSocket(uint32_t number) { table.Remove(number); }
void FreeHostSocketNumber(uint32_t number) { table.Free(number); }
void ClearHostSockets() { table.Clear(); }

}  // namespace nsgx::libos
