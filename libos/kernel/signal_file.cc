// SPDX-License-Identifier: Apache-2.0
// Signals that are read: signalfd.
#include <atomic>
#include <utility>

#include "base/core/bytes.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/syscalls.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;

// struct signalfd_siginfo
struct SignalFileInfo {
  uint32_t signal;
  int32_t error;
  int32_t code;
  uint32_t pid;
  uint32_t uid;
  int32_t fd;
  uint32_t timer_id;
  uint32_t band;
  uint32_t overrun;
  uint32_t trap;
  int32_t status;
  int32_t integer;
  uint64_t pointer;
  uint64_t user_time;
  uint64_t system_time;
  uint64_t address;
  uint16_t address_lsb;
  uint8_t reserved[46];
};
static_assert(sizeof(SignalFileInfo) == 128);

SignalFileInfo Describe(const SignalInfo& info) {
  SignalFileInfo out = {};
  out.signal = static_cast<uint32_t>(info.signal);
  out.error = info.error;
  out.code = info.code;
  if (info.code == kSiTimer) {
    out.timer_id = static_cast<uint32_t>(info.timer.timer_id);
    out.overrun = static_cast<uint32_t>(info.timer.overrun);
    out.pointer = info.timer.value;
    out.integer = static_cast<int32_t>(info.timer.value);
  } else if (info.code > 0 && info.code != kSiKernel && kSynchronous.Contains(info.signal)) {
    out.address = info.fault.address;
    out.address_lsb = static_cast<uint16_t>(info.fault.address_lsb);
  } else {
    out.pid = static_cast<uint32_t>(info.sender.pid);
    out.uid = info.sender.uid;
    if (info.code < 0 && info.code != kSiTkill) {
      out.pointer = info.sender.value;
      out.integer = static_cast<int32_t>(info.sender.value);
    }
  }
  return out;
}

// What is pending for the thread that asks, of the signals that the file is for. Threads share the
// file, each sees its own.
class SignalFile final : public AnonymousInode, private SignalWatcher {
 public:
  explicit SignalFile(SignalSet mask)
      : AnonymousInode(AnonymousFileSystem(), kS_IFREG | 0600), mask_(mask.bits()) {
    WatchSignals(*this);
  }

  std::string_view label() const override { return "anon_inode:[signalfd]"; }
  ObjectKind kind() const override { return ObjectKind::kSignals; }
  bool is_pollable() const override { return true; }

  void SetMask(SignalSet mask) {
    mask_.store(mask.bits(), std::memory_order_relaxed);
    SpinLockGuard guard(lock_);
    Tell();
  }

  Result<size_t, Errno> Read(File&, IoBuffer& to, const IoRequest& request) override {
    if (to.remaining() < sizeof(SignalFileInfo)) {
      return Error(Errno::kEINVAL);
    }
    size_t done = 0;
    while (to.remaining() >= sizeof(SignalFileInfo)) {
      SignalInfo info;
      if (TakePendingSignal(mask(), &info) != 0) {
        const SignalFileInfo told = Describe(info);
        done += to.Put(BytesOf(told));
        if (to.faulted()) {
          break;
        }
        continue;
      }
      if (done != 0) {
        break;
      }
      lock_.Lock();
      if (!(PendingSignalSet() & mask()).is_empty()) {
        lock_.Unlock();
        continue;
      }
      TRY(SleepOnce(readers_waiting_, lock_, request.wait));
    }
    return to.Outcome(done);
  }

  uint32_t Poll(File&, Observer* observer) override {
    SpinLockGuard guard(lock_);
    if (observer != nullptr) {
      observers_.Add(*observer);
    }
    return (PendingSignalSet() & mask()).is_empty() ? 0 : kReadable;
  }

  void Unobserve(File&, Observer& observer) override {
    SpinLockGuard guard(lock_);
    observers_.Remove(observer);
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~SignalFile() { UnwatchSignals(*this); }
  void Destroy() override { Delete(this); }

  SignalSet mask() const { return SignalSet(mask_.load(std::memory_order_relaxed)); }

  // It may be for any thread, so all of them look.
  void Tell() REQUIRES(lock_) {
    readers_waiting_.WakeAll();
    observers_.Notify(kReadable);
  }

  void OnSignal(int32_t signal) override {
    if (mask().Contains(signal)) {
      SpinLockGuard guard(lock_);
      Tell();
    }
  }

  std::atomic<uint64_t> mask_;
  SpinLock lock_;
  WaitQueue readers_waiting_ GUARDED_BY(lock_);
  ObserverList<> observers_ GUARDED_BY(lock_);
};

}  // namespace

SysResult SysSignalfd4(int32_t fd, UserIn<uint64_t> mask, size_t mask_size, uint32_t flags) {
  if (mask_size != sizeof(uint64_t)) {
    return Error(Errno::kEINVAL);
  }
  const SignalSet wanted = SignalSet(TRY(nsgx::libos::Read(mask))) & ~kUnblockable;
  if ((flags & ~(kO_CLOEXEC | kO_NONBLOCK)) != 0) {
    return Error(Errno::kEINVAL);
  }
  if (fd != -1) {
    const Ref<File> file = TRY(GetFile(fd));
    if (file->object().kind() != ObjectKind::kSignals) {
      return Error(Errno::kEINVAL);
    }
    static_cast<SignalFile&>(file->object()).SetMask(wanted);
    return int64_t{fd};
  }
  Ref<SignalFile> signals = Ref<SignalFile>::Adopt(TRY(New<SignalFile>(wanted)));
  SignalFile& object = *signals;
  Ref<File> file =
      TRY(File::New(Ref<Inode>(std::move(signals)), object, kO_RDWR | (flags & kO_NONBLOCK)));
  return int64_t{TRY(process_files.descriptors.Add(std::move(file), 0, (flags & kO_CLOEXEC) != 0))};
}

SysResult SysSignalfd(int32_t fd, UserIn<uint64_t> mask, size_t mask_size) {
  return SysSignalfd4(fd, mask, mask_size, 0);
}

}  // namespace nsgx::libos
