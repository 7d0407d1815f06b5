// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp-device/answers.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "vmpl-switch/abi/status.h"

namespace nsgx::snp {
namespace {

Status StatusOfErrno(int error_number) {
  switch (error_number) {
    case EINVAL:
    case EFAULT:
      return Status::kInvalidArgument;
    case EBADFD:
      return Status::kBadState;
    case EBUSY:
      return Status::kBusy;
    case ENOMEM:
      return Status::kNoMemory;
    case EINTR:
      return Status::kInterrupted;
    case ESHUTDOWN:
      return Status::kCancelled;
    case EIO:
    case EPROTO:
      return Status::kHostFault;
    case ENOTTY:
    case EOPNOTSUPP:
      return Status::kUnsupported;
    default:
      return Status::kInternal;
  }
}

// The counters of the SEH and the loader's have the same order; the loader has fewer.
static_assert(static_cast<uint32_t>(ExitReason::kHostCall) == NSGX_SEH_EXIT_HOST_CALL);
static_assert(static_cast<uint32_t>(ExitReason::kIdle) == NSGX_SEH_EXIT_IDLE);
static_assert(static_cast<uint32_t>(ExitReason::kWake) == NSGX_SEH_EXIT_WAKE);
static_assert(static_cast<uint32_t>(ExitReason::kDone) == NSGX_SEH_EXIT_DONE);
static_assert(static_cast<uint32_t>(ExitReason::kException) == NSGX_SEH_EXIT_EXCEPTION);
static_assert(static_cast<uint32_t>(ExitReason::kRefused) == NSGX_SEH_EXIT_REFUSED);
static_assert(std::size(DeviceStats{}.exits) == NSGX_SEH_EXIT_REFUSED + 1);

}  // namespace

Result<void> ResultOf(int64_t result, int error_number) {
  if (result == 0) {
    return {};
  }
  if (result < 0) {
    return Error(StatusOfErrno(error_number));
  }
  return Error(result <= NSGX_CANCELLED ? static_cast<Status>(result) : Status::kHostFault);
}

Result<Exit> ExitOf(const nsgx_device_enter& enter) {
  if (enter.reason > NSGX_SEH_EXIT_REFUSED) {
    return Error(Status::kHostFault);
  }
  Exit exit = {
      .reason = static_cast<ExitReason>(enter.reason), .number = enter.number, .arguments = {}};
  std::ranges::copy(enter.arguments, exit.arguments.begin());
  return exit;
}

DeviceStats StatsOf(const nsgx_seh_info& info) {
  DeviceStats stats = {};
  std::copy_n(info.exits, std::size(stats.exits), stats.exits);
  std::ranges::copy(info.gate_calls, stats.gate_calls);
  stats.exceptions = info.exceptions;
  stats.ticks = info.ticks;
  stats.syscalls_reflected = info.syscalls_reflected;
  stats.pages_loaded = info.pages_loaded;
  stats.pages_hashed = info.pages_hashed;
  return stats;
}

Crash CrashOf(const nsgx_seh_info& info) {
  Crash crash = {.cause = info.crash_cause,
                 .address = info.crash_address,
                 .image_offset = info.crash_image_offset,
                 .registers = {}};
  std::ranges::copy(info.crash_registers, crash.registers);
  return crash;
}

}  // namespace nsgx::snp
