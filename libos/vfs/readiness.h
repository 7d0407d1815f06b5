// SPDX-License-Identifier: Apache-2.0
// Waiting for the first of several open files to become ready: what poll and select are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "base/core/spinlock.h"
#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"
#include "libos/vfs/file.h"
#include "libos/vfs/observer.h"

namespace nsgx::libos {

// Where one thread sleeps until some observer is told.
class ReadinessWait {
 public:
  ReadinessWait() = default;

  void Tell();
  // What was told so far is forgotten: the files are about to be asked.
  void Forget();
  // Returns at once if something has been told since Forget.
  WakeReason Wait(Deadline deadline);

 private:
  SpinLock lock_;
  WaitQueue sleeper_ GUARDED_BY(lock_);
  bool told_ GUARDED_BY(lock_) = false;
};

// One open file that is waited for.
class ReadinessItem final : public Observer {
 public:
  ReadinessItem() = default;

  // Of interest: kPOLL* bits. Errors and hang-ups are always told.
  void Set(Ref<File> file, uint32_t wanted);
  File* file() const { return file_.get(); }
  // What was ready when asked last, of what is of interest.
  uint32_t ready() const { return ready_; }

 private:
  friend Result<size_t, Errno> WaitForReadiness(std::span<ReadinessItem> items, Deadline deadline);

  void OnReady(uint32_t events) override;
  bool Ask(bool observe);

  Ref<File> file_;
  uint32_t wanted_ = 0;
  uint32_t ready_ = 0;
  bool is_observing_ = false;
  ReadinessWait* wait_ = nullptr;
};

// Waits until at least one item is ready; returns how many are, 0 at the deadline. Deadline 0:
// looks once. Items without a file are passed over. EINTR.
Result<size_t, Errno> WaitForReadiness(std::span<ReadinessItem> items, Deadline deadline);

}  // namespace nsgx::libos
