// SPDX-License-Identifier: Apache-2.0
// The rows of syscalls.inc for those who want to know about a call rather than make it: trace, log,
// restart.
#pragma once

#include <cstdint>
#include <string_view>

#include "libos/kernel/errno.h"

namespace nsgx::shim {

struct SyscallInfo {
  std::string_view name;
  bool exists;       // false: a number that Linux does not use
  bool is_refused;   // answered with `error`, for the reason `text`
  bool can_restart;  // made again after a signal handler with SA_RESTART
  libos::Errno error;
  std::string_view text;  // what is missing, or why refused
};

// The row of `number`; for numbers that have none, one that does not exist.
const SyscallInfo& InfoOf(uint64_t number);

}  // namespace nsgx::shim
