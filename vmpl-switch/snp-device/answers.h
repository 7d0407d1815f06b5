// SPDX-License-Identifier: Apache-2.0
// What the module's answers mean to a loader.
#pragma once

#include <cstdint>

#include "base/core/result.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/device/device.h"
#include "vmpl-switch/guest-module/nsgx_ioctl.h"

namespace nsgx::snp {

// The result of an ioctl, with errno as it was right behind it if it is negative.
Result<void> ResultOf(int64_t result, int error_number);

// How a slot left. kHostFault: for a reason that does not exist.
Result<Exit> ExitOf(const nsgx_device_enter& enter);

// The part that the SEH counts.
DeviceStats StatsOf(const nsgx_seh_info& info);
Crash CrashOf(const nsgx_seh_info& info);

}  // namespace nsgx::snp
