// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/file_time.h"

#include <atomic>

#include "libos/kernel/clock.h"

namespace nsgx::libos {
namespace {

// About half a millisecond on today's processors. Linux's own file times move in steps of 1 to 10
// ms.
constexpr uint64_t kStepTicks = uint64_t{1} << 20;

constinit std::atomic<uint64_t> last_ticks{0};
constinit std::atomic<uint64_t> last_time{0};

}  // namespace

FileTime FileTimeNow() {
  const uint64_t ticks = ReadTsc();
  uint64_t now = last_time.load(std::memory_order_acquire);
  if (now == 0 || ticks - last_ticks.load(std::memory_order_relaxed) >= kStepTicks) {
    now = WallClockNow();
    last_ticks.store(ticks, std::memory_order_relaxed);
    last_time.store(now, std::memory_order_release);
  }
  return {.seconds = static_cast<int64_t>(now / kNanosecondsPerSecond),
          .nanoseconds = static_cast<uint32_t>(now % kNanosecondsPerSecond)};
}

}  // namespace nsgx::libos
