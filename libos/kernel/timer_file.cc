// SPDX-License-Identifier: Apache-2.0
// Timers that are read: timerfd.
#include <utility>

#include "base/core/bytes.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/linux_time.h"
#include "libos/kernel/scheduler.h"
#include "libos/kernel/syscalls.h"
#include "libos/kernel/timer_queue.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/process_files.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kAbsolute = 1;     // TFD_TIMER_ABSTIME
constexpr uint32_t kCancelOnSet = 2;  // TFD_TIMER_CANCEL_ON_SET: nobody sets the clock

struct TimerSetting {
  uint64_t left;  // until the next expiration; 0: there will be none
  uint64_t period;
};

// A timer with a period rests after an expiration until somebody asks: how often it has expired
// meanwhile is then computed. So a timer that nobody looks at costs one tick, whatever its period.
class TimerFile final : public AnonymousInode, private Timer {
 public:
  explicit TimerFile(bool is_wall_clock)
      : AnonymousInode(AnonymousFileSystem(), kS_IFREG | 0600),
        Timer(&OnTime),
        is_wall_clock_(is_wall_clock) {}

  std::string_view label() const override { return "anon_inode:[timerfd]"; }
  ObjectKind kind() const override { return ObjectKind::kTimer; }
  bool is_pollable() const override { return true; }
  bool is_wall_clock() const { return is_wall_clock_; }

  // Counting starts anew. `deadline` kForever: the timer is off. Returns what was set before.
  TimerSetting Set(Deadline deadline, uint64_t period) {
    SpinLockGuard guard(settings_lock_);
    const TimerSetting before = Ask();
    Timers().Disarm(*this);
    {
      SpinLockGuard count_guard(count_lock_);
      count_ = 0;
      is_resting_ = false;
    }
    period_ = period;
    Start(deadline);
    return before;
  }

  TimerSetting Get() {
    SpinLockGuard guard(settings_lock_);
    return Ask();
  }

  Result<size_t, Errno> Read(File&, IoBuffer& to, const IoRequest& request) override {
    if (to.remaining() < sizeof(uint64_t)) {
      return Error(Errno::kEINVAL);
    }
    while (true) {
      const uint64_t count = TakeCount();
      if (count != 0) {
        return to.Outcome(to.Put(BytesOf(count)));
      }
      count_lock_.Lock();
      if (count_ != 0) {
        count_lock_.Unlock();
        continue;
      }
      TRY(SleepOnce(readers_waiting_, count_lock_, request.wait));
    }
  }

  uint32_t Poll(File&, Observer* observer) override {
    SpinLockGuard guard(count_lock_);
    if (observer != nullptr) {
      observers_.Add(*observer);
    }
    return count_ != 0 ? kReadable : 0;
  }

  void Unobserve(File&, Observer& observer) override {
    SpinLockGuard guard(count_lock_);
    observers_.Remove(observer);
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~TimerFile() { Timers().Disarm(*this); }
  void Destroy() override { Delete(this); }

  // Runs with the timer queue's lock held.
  static Deadline OnTime(Timer& timer, Deadline) {
    TimerFile& self = static_cast<TimerFile&>(timer);
    SpinLockGuard guard(self.count_lock_);
    ++self.count_;
    self.is_resting_ = true;
    self.readers_waiting_.Wake(1);
    self.observers_.Notify(kReadable);
    return kForever;
  }

  void Start(Deadline deadline) REQUIRES(settings_lock_) {
    deadline_ = deadline;
    if (deadline != kForever) {
      Timers().Arm(*this, deadline);
      NoticeNewDeadline();
    }
  }

  // Lets a timer go on that has expired: counts what it has missed since.
  void CatchUp() REQUIRES(settings_lock_) {
    if (period_ == 0) {
      return;
    }
    uint64_t missed;
    {
      SpinLockGuard guard(count_lock_);
      if (!is_resting_) {
        return;
      }
      is_resting_ = false;
      missed = (MonotonicNow() - deadline_) / period_;
      count_ += missed;
    }
    Start(deadline_ + (missed + 1) * period_);
  }

  uint64_t TakeCount() {
    SpinLockGuard guard(settings_lock_);
    CatchUp();
    SpinLockGuard count_guard(count_lock_);
    return std::exchange(count_, 0);
  }

  TimerSetting Ask() REQUIRES(settings_lock_) {
    CatchUp();
    const uint64_t now = MonotonicNow();
    uint64_t left = 0;
    if (deadline_ != kForever && deadline_ > now) {
      left = deadline_ - now;
    } else if (deadline_ != kForever && period_ != 0) {
      left = 1;  // due this moment
    }
    return {.left = left, .period = period_};
  }

  const bool is_wall_clock_;
  // Order: this, the timer queue's lock, count_lock_.
  SpinLock settings_lock_;
  Deadline deadline_ GUARDED_BY(settings_lock_) = kForever;  // the next, or the last one
  uint64_t period_ GUARDED_BY(settings_lock_) = 0;
  SpinLock count_lock_;
  uint64_t count_ GUARDED_BY(count_lock_) = 0;  // expirations that nobody has read
  bool is_resting_ GUARDED_BY(count_lock_) = false;
  WaitQueue readers_waiting_ GUARDED_BY(count_lock_);
  ObserverList<> observers_ GUARDED_BY(count_lock_);
};

Result<void, Errno> WriteSetting(UserOut<KernelTimespec> out, const TimerSetting& setting) {
  TRY(Write(out, ToTimespec(setting.period), 0));
  return Write(out, ToTimespec(setting.left), 1);
}

// `file` keeps the timer. EINVAL: it is something else.
Result<TimerFile*, Errno> TimerOf(File& file) {
  if (file.object().kind() != ObjectKind::kTimer) {
    return Error(Errno::kEINVAL);
  }
  return static_cast<TimerFile*>(&file.object());
}

}  // namespace

SysResult SysTimerfdCreate(int32_t clock, uint32_t flags) {
  if ((flags & ~(kO_CLOEXEC | kO_NONBLOCK)) != 0) {
    return Error(Errno::kEINVAL);
  }
  // An enclave's machine does not sleep, so a clock with an alarm is like one without.
  const bool is_wall_clock = clock == kClockRealtime || clock == kClockRealtimeAlarm;
  if (!is_wall_clock && clock != kClockMonotonic && clock != kClockBoottime &&
      clock != kClockBoottimeAlarm) {
    return Error(Errno::kEINVAL);
  }
  Ref<TimerFile> timer = Ref<TimerFile>::Adopt(TRY(New<TimerFile>(is_wall_clock)));
  TimerFile& object = *timer;
  Ref<File> file =
      TRY(File::New(Ref<Inode>(std::move(timer)), object, kO_RDWR | (flags & kO_NONBLOCK)));
  return int64_t{TRY(process_files.descriptors.Add(std::move(file), 0, (flags & kO_CLOEXEC) != 0))};
}

SysResult SysTimerfdSettime(int32_t fd, uint32_t flags, UserIn<KernelTimespec> value,
                            UserOut<KernelTimespec> old) {
  const uint64_t period = TRY(FromTimespec(TRY(Read(value, 0))));
  const uint64_t first = TRY(FromTimespec(TRY(Read(value, 1))));
  if ((flags & ~(kAbsolute | kCancelOnSet)) != 0) {
    return Error(Errno::kEINVAL);
  }
  const Ref<File> file = TRY(GetFile(fd));
  TimerFile& timer = *TRY(TimerOf(*file));
  Deadline deadline = kForever;
  if (first != 0 && (flags & kAbsolute) == 0) {
    deadline = DeadlineAfter(first);
  } else if (first != 0 && timer.is_wall_clock()) {
    const uint64_t wall_now = WallClockNow();
    const uint64_t now = MonotonicNow();
    // One that has passed keeps its place, so that the expirations since then count.
    deadline = first >= wall_now        ? DeadlineAfter(first - wall_now)
               : wall_now - first < now ? now - (wall_now - first)
                                        : 1;
  } else if (first != 0) {
    deadline = first;
  }
  const TimerSetting before = timer.Set(deadline, period);
  if (!old.is_null()) {
    TRY(WriteSetting(old, before));
  }
  return 0;
}

SysResult SysTimerfdGettime(int32_t fd, UserOut<KernelTimespec> value) {
  const Ref<File> file = TRY(GetFile(fd));
  TRY(WriteSetting(value, TRY(TimerOf(*file))->Get()));
  return 0;
}

}  // namespace nsgx::libos
