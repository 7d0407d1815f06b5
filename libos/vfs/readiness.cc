// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/readiness.h"

#include <utility>

#include "base/core/scope_exit.h"
#include "libos/kernel/socket_wait.h"
#include "libos/vfs/inode.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kAlwaysTold = kPOLLERR | kPOLLHUP;

}  // namespace

void ReadinessWait::Tell() {
  SpinLockGuard guard(lock_);
  told_ = true;
  sleeper_.WakeAll();
}

void ReadinessWait::Forget() {
  SpinLockGuard guard(lock_);
  told_ = false;
}

WakeReason ReadinessWait::Wait(Deadline deadline) {
  lock_.Lock();
  if (told_) {
    lock_.Unlock();
    return WakeReason::kWoken;
  }
  return Block(sleeper_, lock_, deadline, true);
}

void ReadinessItem::Set(Ref<File> file, uint32_t wanted) {
  file_ = std::move(file);
  wanted_ = wanted | kAlwaysTold;
}

void ReadinessItem::OnReady(uint32_t events) {
  if ((events & wanted_) != 0) {
    wait_->Tell();
  }
}

bool ReadinessItem::Ask(bool observe) {
  is_observing_ = is_observing_ || observe;
  ready_ = file_->object().Poll(*file_, observe ? this : nullptr) & wanted_;
  return ready_ != 0;
}

Result<size_t, Errno> WaitForReadiness(std::span<ReadinessItem> items, Deadline deadline) {
  ReadinessWait wait;
  ScopeExit unobserve([&] {
    for (ReadinessItem& item : items) {
      if (item.is_observing_) {
        item.file_->object().Unobserve(*item.file_, item);
      }
    }
  });
  bool observe = deadline != 0;
  const auto ask_all = [&] {
    size_t count = 0;
    for (ReadinessItem& item : items) {
      item.wait_ = &wait;
      if (item.file() != nullptr && item.Ask(observe)) {
        ++count;
        observe = false;  // there will be no sleep
      }
    }
    return count;
  };
  WakeReason reason = WakeReason::kWoken;
  LookForSocketEventsSometimes();
  while (true) {
    wait.Forget();
    size_t count = ask_all();
    // Who only looks is told what the host says now.
    if (count == 0 && deadline == 0 && LookForSocketEvents()) {
      count = ask_all();
    }
    if (count != 0 || deadline == 0 || reason == WakeReason::kTimeout) {
      return count;
    }
    if (reason == WakeReason::kSignal) {
      return Error(Errno::kEINTR);
    }
    observe = false;
    reason = wait.Wait(deadline);
  }
}

}  // namespace nsgx::libos
