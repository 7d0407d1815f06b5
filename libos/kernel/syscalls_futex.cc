// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/clock.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/futex.h"
#include "libos/kernel/futex_lock.h"
#include "libos/kernel/futex_table.h"
#include "libos/kernel/syscalls.h"

namespace nsgx::libos {
namespace {

// Linux's programs end here; a futex beyond is EFAULT without anybody looking.
constexpr uint64_t kProgramEnd = 0x7ffffffff000;

Result<void, Errno> CheckAddress(uint64_t address) {
  if (!IsFutexAligned(address)) {
    return Error(Errno::kEINVAL);
  }
  return address < kProgramEnd ? Result<void, Errno>() : Error(Errno::kEFAULT);
}

// kForever when `timeout` is null.
Result<Deadline, Errno> AbsoluteDeadline(uint64_t timeout, bool wall_clock) {
  if (timeout == 0) {
    return kForever;
  }
  const uint64_t time = TRY(FromTimespec(TRY(Read(UserIn<KernelTimespec>(timeout)))));
  return wall_clock ? DeadlineAtWallTime(time) : time;
}

Result<Deadline, Errno> RelativeDeadline(uint64_t timeout) {
  return timeout == 0
             ? Result<Deadline, Errno>(kForever)
             : DeadlineAfter(TRY(FromTimespec(TRY(Read(UserIn<KernelTimespec>(timeout))))));
}

// FUTEX_WAIT: with a timeout, which would begin anew, a signal ends it for good.
SysResult Wait(uint64_t address, uint32_t value, uint32_t bitset, Deadline deadline) {
  auto waited = FutexWait(address, value, bitset, deadline);
  if (waited.ok()) {
    return 0;
  }
  if (waited.error() == Errno::kEINTR && deadline != kForever) {
    CurrentThread().cancel_interrupt = true;
  }
  return Error(waited.error());
}

// Linux wakes one at least, whatever is asked for.
uint32_t WakeCount(uint32_t value) { return static_cast<int32_t>(value) <= 0 ? 1 : value; }

Result<void, Errno> CheckCounts(uint32_t wake, uint32_t move) {
  const bool negative = static_cast<int32_t>(wake) < 0 || static_cast<int32_t>(move) < 0;
  return negative ? Error(Errno::kEINVAL) : Result<void, Errno>();
}

}  // namespace

SysResult SysFutex(uint64_t address, uint32_t operation, uint32_t value, uint64_t timeout_or_count,
                   uint64_t second_address, uint32_t third_value) {
  enum : uint32_t {
    kWait = 0,
    kWake = 1,
    kRequeue = 3,
    kCmpRequeue = 4,
    kWakeOp = 5,
    kLockPi = 6,
    kUnlockPi = 7,
    kTryLockPi = 8,
    kWaitBitset = 9,
    kWakeBitset = 10,
    kWaitRequeuePi = 11,
    kCmpRequeuePi = 12,
    kLockPi2 = 13,
  };
  constexpr uint32_t kPrivate = 128, kClockRealtime = 256;
  const uint32_t command = operation & ~(kPrivate | kClockRealtime);
  const bool wall_clock = (operation & kClockRealtime) != 0;
  if (wall_clock && command != kWaitBitset && command != kWaitRequeuePi && command != kLockPi2) {
    return Error(Errno::kENOSYS);
  }
  if (command > kLockPi2 || command == 2) {
    return Error(Errno::kENOSYS);  // 2: FUTEX_FD, gone from Linux too
  }
  const uint32_t count = static_cast<uint32_t>(timeout_or_count);
  Deadline deadline = kForever;
  if (command == kWait) {
    deadline = TRY(RelativeDeadline(timeout_or_count));
  } else if (command == kWaitBitset || command == kWaitRequeuePi || command == kLockPi2) {
    deadline = TRY(AbsoluteDeadline(timeout_or_count, wall_clock));
  } else if (command == kLockPi) {
    deadline = TRY(AbsoluteDeadline(timeout_or_count, true));
  }
  TRY(CheckAddress(address));
  switch (command) {
    case kWait:
      return Wait(address, value, kFutexMatchAny, deadline);
    case kWaitBitset:
      return Wait(address, value, third_value, deadline);
    case kWake:
      return FutexWake(address, WakeCount(value));
    case kWakeBitset:
      if (third_value == 0) {
        return Error(Errno::kEINVAL);
      }
      return FutexWake(address, WakeCount(value), third_value);
    case kRequeue:
    case kCmpRequeue:
      TRY(CheckCounts(value, count));
      TRY(CheckAddress(second_address));
      return TRY(FutexRequeue(address, value, second_address, count,
                              command == kRequeue ? nullptr : &third_value));
    case kWakeOp:
      TRY(CheckAddress(second_address));
      return TRY(FutexWakeOperation(address, WakeCount(value), second_address, WakeCount(count),
                                    third_value));
    case kLockPi:
    case kLockPi2:
      TRY(FutexLock(address, deadline));
      return 0;
    case kUnlockPi:
      TRY(FutexUnlock(address));
      return 0;
    case kTryLockPi:
      TRY(FutexTryLock(address));
      return 0;
    case kWaitRequeuePi:
      TRY(CheckAddress(second_address));
      TRY(FutexWaitThenLock(address, value, third_value, second_address, deadline));
      return 0;
    default:  // kCmpRequeuePi
      TRY(CheckCounts(value, count));
      TRY(CheckAddress(second_address));
      if (value != 1) {
        return Error(Errno::kEINVAL);
      }
      return TRY(FutexRequeueToLock(address, second_address, count, third_value));
  }
}

// ---- the calls that took over from futex: 32-bit words, absolute timeouts, a clock of choice

namespace {

constexpr uint64_t kMaxWord = 0xffffffff;

// Flags of the new calls: FUTEX2_SIZE_U32, FUTEX2_PRIVATE.
Result<void, Errno> CheckFlags(uint32_t flags) {
  constexpr uint32_t kSize32 = 2, kPrivate = 128;
  return (flags & ~kPrivate) == kSize32 ? Result<void, Errno>() : Error(Errno::kEINVAL);
}

Result<Deadline, Errno> DeadlineOf(uint64_t timeout, int32_t clock) {
  if (timeout == 0) {
    return kForever;
  }
  if (clock != kClockRealtime && clock != kClockMonotonic) {
    return Error(Errno::kEINVAL);
  }
  return AbsoluteDeadline(timeout, clock == kClockRealtime);
}

// struct futex_waitv.
struct WaitEntry {
  uint64_t expected;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

Result<FutexChoice, Errno> ReadEntry(UserIn<std::byte> entries, size_t index) {
  const WaitEntry entry = TRY(Read(UserIn<WaitEntry>(entries.address()), index));
  if (entry.reserved != 0 || entry.expected > kMaxWord) {
    return Error(Errno::kEINVAL);
  }
  TRY(CheckFlags(entry.flags));
  return FutexChoice{.address = entry.address, .expected = static_cast<uint32_t>(entry.expected)};
}

}  // namespace

SysResult SysFutexWaitv(UserIn<std::byte> entries, uint32_t count, uint32_t flags,
                        UserIn<KernelTimespec> timeout, int32_t clock) {
  if (flags != 0 || count == 0 || count > kMaxFutexChoices || entries.is_null()) {
    return Error(Errno::kEINVAL);
  }
  const Deadline deadline = TRY(DeadlineOf(timeout.address(), clock));
  FutexChoice choices[kMaxFutexChoices];
  for (uint32_t i = 0; i < count; ++i) {
    choices[i] = TRY(ReadEntry(entries, i));
  }
  for (uint32_t i = 0; i < count; ++i) {
    TRY(CheckAddress(choices[i].address));
  }
  return TRY(FutexWaitAny(std::span(choices, count), deadline));
}

SysResult SysFutexWake(uint64_t address, uint64_t mask, int32_t count, uint32_t flags) {
  TRY(CheckFlags(flags));
  if (mask > kMaxWord || mask == 0) {
    return Error(Errno::kEINVAL);
  }
  TRY(CheckAddress(address));
  return count == 0 ? SysResult(0)
                    : FutexWake(address, WakeCount(static_cast<uint32_t>(count)),
                                static_cast<uint32_t>(mask));
}

SysResult SysFutexWait(uint64_t address, uint64_t expected, uint64_t mask, uint32_t flags,
                       UserIn<KernelTimespec> timeout, int32_t clock) {
  TRY(CheckFlags(flags));
  if (expected > kMaxWord || mask > kMaxWord) {
    return Error(Errno::kEINVAL);
  }
  const Deadline deadline = TRY(DeadlineOf(timeout.address(), clock));
  TRY(CheckAddress(address));
  TRY(FutexWait(address, static_cast<uint32_t>(expected), static_cast<uint32_t>(mask), deadline));
  return 0;
}

SysResult SysFutexRequeue(UserIn<std::byte> entries, uint32_t flags, int32_t wake, int32_t move) {
  if (flags != 0 || entries.is_null()) {
    return Error(Errno::kEINVAL);
  }
  const FutexChoice from = TRY(ReadEntry(entries, 0));
  const FutexChoice to = TRY(ReadEntry(entries, 1));
  TRY(CheckCounts(static_cast<uint32_t>(wake), static_cast<uint32_t>(move)));
  TRY(CheckAddress(from.address));
  TRY(CheckAddress(to.address));
  return TRY(FutexRequeue(from.address, static_cast<uint32_t>(wake), to.address,
                          static_cast<uint32_t>(move), &from.expected));
}

}  // namespace nsgx::libos
