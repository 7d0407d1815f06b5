// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/eventfd.h"

#include <utility>

#include "base/core/bytes.h"
#include "libos/kernel/wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kMaxCount = UINT64_MAX - 1;
constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM;

class EventCounter final : public AnonymousInode {
 public:
  EventCounter(uint64_t initial, bool semaphore)
      : AnonymousInode(AnonymousFileSystem(), kS_IFREG | 0600),
        semaphore_(semaphore),
        count_(initial) {}

  std::string_view label() const override { return "anon_inode:[eventfd]"; }
  bool is_pollable() const override { return true; }

  Result<size_t, Errno> Read(File&, IoBuffer& to, const IoRequest& request) override {
    if (to.remaining() < sizeof(uint64_t)) {
      return Error(Errno::kEINVAL);
    }
    mutex_.Lock();
    while (count_ == 0) {
      TRY(SleepOnce(readers_waiting_, mutex_, request.wait));
      mutex_.Lock();
    }
    const uint64_t taken = semaphore_ ? 1 : count_;
    count_ -= taken;
    writers_waiting_.WakeAll();
    if (count_ != 0) {
      readers_waiting_.Wake(1);
    }
    observers_.Notify(kWritable);
    mutex_.Unlock();
    return to.Outcome(to.Put(BytesOf(taken)));
  }

  Result<size_t, Errno> Write(File&, IoBuffer& from, const IoRequest& request) override {
    if (from.remaining() < sizeof(uint64_t)) {
      return Error(Errno::kEINVAL);
    }
    uint64_t added = 0;
    if (from.Take(MutableBytesOf(added)) < sizeof(added)) {
      return Error(Errno::kEFAULT);
    }
    if (added > kMaxCount) {
      return Error(Errno::kEINVAL);
    }
    mutex_.Lock();
    while (added > kMaxCount - count_) {
      TRY(SleepOnce(writers_waiting_, mutex_, request.wait));
      mutex_.Lock();
    }
    count_ += added;
    if (count_ != 0) {
      readers_waiting_.Wake(1);
      observers_.Notify(kReadable);
    }
    mutex_.Unlock();
    return sizeof(added);
  }

  uint32_t Poll(File&, Observer* observer) override {
    SpinLockGuard guard(mutex_);
    if (observer != nullptr) {
      observers_.Add(*observer);
    }
    return (count_ != 0 ? kReadable : 0) | (count_ != kMaxCount ? kWritable : 0);
  }

  void Unobserve(File&, Observer& observer) override {
    SpinLockGuard guard(mutex_);
    observers_.Remove(observer);
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~EventCounter() = default;
  void Destroy() override { Delete(this); }

  const bool semaphore_;
  SpinLock mutex_;
  uint64_t count_ GUARDED_BY(mutex_);
  WaitQueue readers_waiting_ GUARDED_BY(mutex_);
  WaitQueue writers_waiting_ GUARDED_BY(mutex_);
  ObserverList<> observers_ GUARDED_BY(mutex_);
};

}  // namespace

Result<Ref<File>, Errno> MakeEventFile(uint64_t initial, bool semaphore, uint32_t flags) {
  Ref<EventCounter> counter = Ref<EventCounter>::Adopt(TRY(New<EventCounter>(initial, semaphore)));
  EventCounter& object = *counter;
  return File::New(Ref<Inode>(std::move(counter)), object, kO_RDWR | flags);
}

}  // namespace nsgx::libos
