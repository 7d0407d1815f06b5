// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/timeout.h"

#include "libos/kernel/clock.h"
#include "libos/vfs/kernel_services.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr int64_t kMicrosecondsPerSecond = 1'000'000;

// `nanoseconds` is what is left of a second.
Result<Deadline, Errno> DeadlineIn(int64_t seconds, int64_t nanoseconds) {
  if (seconds < 0 || nanoseconds < 0 ||
      nanoseconds >= static_cast<int64_t>(kNanosecondsPerSecond)) {
    return Error(Errno::kEINVAL);
  }
  if (seconds == 0 && nanoseconds == 0) {
    return Deadline{0};
  }
  uint64_t total;
  if (__builtin_mul_overflow(static_cast<uint64_t>(seconds), kNanosecondsPerSecond, &total) ||
      __builtin_add_overflow(total, static_cast<uint64_t>(nanoseconds), &total)) {
    return kForever;
  }
  return DeadlineAfter(total);
}

uint64_t RestUntil(Deadline deadline) {
  const uint64_t now = deadline == 0 ? 0 : MonotonicNow();
  return deadline > now ? deadline - now : 0;
}

}  // namespace

Deadline DeadlineOfMilliseconds(int32_t timeout) {
  if (timeout < 0) {
    return kForever;
  }
  return timeout == 0 ? 0
                      : DeadlineAfter(static_cast<uint64_t>(timeout) * kNanosecondsPerMillisecond);
}

Result<Deadline, Errno> DeadlineOfTimespec(UserOut<LinuxTimespec> timeout) {
  if (timeout.is_null()) {
    return kForever;
  }
  const LinuxTimespec given = TRY(Read(UserIn<LinuxTimespec>(timeout.address())));
  return DeadlineIn(given.tv_sec, given.tv_nsec);
}

Result<Deadline, Errno> DeadlineOfTimeval(UserOut<LinuxTimeval> timeout) {
  if (timeout.is_null()) {
    return kForever;
  }
  const LinuxTimeval given = TRY(Read(UserIn<LinuxTimeval>(timeout.address())));
  int64_t seconds;
  if (given.tv_usec < 0 ||
      __builtin_add_overflow(given.tv_sec, given.tv_usec / kMicrosecondsPerSecond, &seconds)) {
    return Error(Errno::kEINVAL);
  }
  return DeadlineIn(seconds, given.tv_usec % kMicrosecondsPerSecond * 1000);
}

void TellRest(UserOut<LinuxTimespec> timeout, Deadline deadline) {
  if (!timeout.is_null() && deadline != kForever) {
    const uint64_t rest = RestUntil(deadline);
    static_cast<void>(
        Write(timeout, {.tv_sec = static_cast<int64_t>(rest / kNanosecondsPerSecond),
                        .tv_nsec = static_cast<int64_t>(rest % kNanosecondsPerSecond)}));
  }
}

void TellRest(UserOut<LinuxTimeval> timeout, Deadline deadline) {
  if (!timeout.is_null() && deadline != kForever) {
    const uint64_t rest = RestUntil(deadline);
    static_cast<void>(
        Write(timeout, {.tv_sec = static_cast<int64_t>(rest / kNanosecondsPerSecond),
                        .tv_usec = static_cast<int64_t>(rest % kNanosecondsPerSecond / 1000)}));
  }
}

Result<void, Errno> UseSignalMask(UserIn<uint64_t> mask, size_t size) {
  if (mask.is_null()) {
    return {};
  }
  if (size != sizeof(uint64_t)) {
    return Error(Errno::kEINVAL);
  }
  BlockSignalsUntilReturn(TRY(Read(mask)));
  return {};
}

}  // namespace nsgx::libos
