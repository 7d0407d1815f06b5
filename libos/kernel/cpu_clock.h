// SPDX-License-Identifier: Apache-2.0
// Clocks that show processor time: of the process, and of each thread. All of it is time in the
// program: the library OS is a part of that.
#pragma once

#include <cstdint>

#include "libos/kernel/errno.h"
#include "libos/kernel/wait.h"

namespace nsgx::libos {

// Whether the clock's number is that of such a clock; there may be no such thread.
bool IsCpuClock(int32_t clock);
// The clock that `clock` means when the current thread says it, so that others can read it too.
int32_t ResolveCpuClock(int32_t clock);

// Nanoseconds. EINVAL: no such clock.
Result<uint64_t, Errno> ReadCpuClock(int32_t clock);

// When to look at a clock of processor time that somebody waits for. It cannot say when it will get
// there, only that it cannot be before.
class CpuClockWatch {
 public:
  // The clock shows `time`, and is waited for until it has gone on by `left`.
  Deadline NextLook(uint64_t time, uint64_t left);

 private:
  uint64_t last_time_ = 0;
  uint64_t pause_ = 0;  // how long the last one was
};

}  // namespace nsgx::libos
