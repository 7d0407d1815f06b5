// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/clock.h"

#include <atomic>

#include "base/core/spinlock.h"
#include "libos/host/host.h"
#include "libos/kernel/gate.h"

namespace nsgx::libos {
namespace {

// The SEH's description holds for 2^32 ticks; it is fetched anew after half of that, about once a
// second.
constexpr uint64_t kRefreshTicks = uint64_t{1} << 31;
constexpr uint64_t kWallClockRefresh = 60 * kNanosecondsPerSecond;

// Read by everybody all the time, changed once a second: a sequence lock, odd while it changes.
constinit std::atomic<uint32_t> sequence{0};
constinit std::atomic<uint64_t> tsc_base{0};
constinit std::atomic<uint64_t> ns_base{0};
constinit std::atomic<uint64_t> multiplier{0};
constinit SpinLock refresh_lock;

constinit SpinLock wall_lock;
constinit uint64_t wall_offset GUARDED_BY(wall_lock) = 0;  // wall time minus monotonic time
constinit uint64_t wall_fetched GUARDED_BY(wall_lock) = 0;

uint64_t Scale(uint64_t value, uint64_t factor) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(value) * factor >> 32);
}

// Not before everything that the caller has seen so far: time must not go back along a message from
// thread to thread.
uint64_t ReadTscInOrder() {
  __builtin_ia32_lfence();
  return ReadTsc();
}

void Store(const nsgx_clock& clock) {
  sequence.fetch_add(1, std::memory_order_acq_rel);
  tsc_base.store(clock.tsc_base, std::memory_order_relaxed);
  ns_base.store(clock.ns_base, std::memory_order_relaxed);
  multiplier.store(clock.multiplier, std::memory_order_relaxed);
  sequence.fetch_add(1, std::memory_order_release);
}

void Refresh() {
  SpinLockGuard guard(refresh_lock);
  const uint64_t base = tsc_base.load(std::memory_order_relaxed);
  if (ReadTsc() - base < kRefreshTicks) {
    return;  // somebody else was faster
  }
  nsgx_clock fresh;
  if (!gate::Clock(&fresh).ok()) {
    fresh = {.tsc_base = ReadTsc(),
             .ns_base = 0,
             .multiplier = multiplier.load(std::memory_order_relaxed)};
  }
  // Where the old description would be now: the new one starts there or later.
  const uint64_t reached = ns_base.load(std::memory_order_relaxed) +
                           Scale(fresh.tsc_base - base, multiplier.load(std::memory_order_relaxed));
  if (fresh.ns_base < reached) {
    fresh.ns_base = reached;
  }
  Store(fresh);
}

}  // namespace

bool InitClock(uint64_t tsc_khz) {
  nsgx_clock clock;
  if (!gate::Clock(&clock).ok()) {
    if (tsc_khz == 0) {
      return false;
    }
    clock = {
        .tsc_base = ReadTsc(), .ns_base = 0, .multiplier = (uint64_t{1'000'000} << 32) / tsc_khz};
  }
  if (clock.multiplier == 0) {
    return false;
  }
  Store(clock);
  return true;
}

uint64_t MonotonicNow() {
  while (true) {
    const uint32_t before = sequence.load(std::memory_order_acquire);
    const uint64_t base = tsc_base.load(std::memory_order_relaxed);
    const uint64_t nanoseconds = ns_base.load(std::memory_order_relaxed);
    const uint64_t factor = multiplier.load(std::memory_order_relaxed);
    const uint64_t now = ReadTscInOrder();
    std::atomic_thread_fence(std::memory_order_acquire);
    if ((before & 1) != 0 || sequence.load(std::memory_order_relaxed) != before) {
      __builtin_ia32_pause();
      continue;
    }
    // The processor that set the base may be a few ticks ahead of this one.
    const uint64_t elapsed = now > base ? now - base : 0;
    if (elapsed >= kRefreshTicks) [[unlikely]] {
      Refresh();
      continue;
    }
    return nanoseconds + Scale(elapsed, factor);
  }
}

uint64_t TicksToNanoseconds(uint64_t ticks) {
  return Scale(ticks, multiplier.load(std::memory_order_relaxed));
}

uint64_t NanosecondsToTicks(uint64_t nanoseconds) {
  const uint64_t factor = multiplier.load(std::memory_order_relaxed);
  return factor == 0
             ? nanoseconds
             : static_cast<uint64_t>((static_cast<unsigned __int128>(nanoseconds) << 32) / factor);
}

uint64_t WallClockNow() {
  const uint64_t now = MonotonicNow();
  {
    SpinLockGuard guard(wall_lock);
    if (wall_fetched != 0 && now - wall_fetched < kWallClockRefresh) {
      return now + wall_offset;
    }
  }
  // Not under the lock: it is a host call.
  const uint64_t claim = host::WallClock();
  const uint64_t fetched = MonotonicNow();
  SpinLockGuard guard(wall_lock);
  wall_offset = claim - fetched;
  wall_fetched = fetched != 0 ? fetched : 1;
  return fetched + wall_offset;
}

Deadline DeadlineAfter(uint64_t nanoseconds) {
  Deadline deadline;
  return __builtin_add_overflow(MonotonicNow(), nanoseconds, &deadline) ? kForever : deadline;
}

Deadline DeadlineAtWallTime(uint64_t nanoseconds) {
  const uint64_t now = WallClockNow();
  return DeadlineAfter(nanoseconds > now ? nanoseconds - now : 0);
}

}  // namespace nsgx::libos
