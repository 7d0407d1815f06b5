// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace nsgx::libos {

// A time stamp of a file: seconds since 1970, nanoseconds within.
struct FileTime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;

  friend constexpr auto operator<=>(const FileTime&, const FileTime&) = default;
};

// Now, for time stamps: as the host claims, and up to a millisecond old, because every write asks.
// May do a host call, so: not with a lock held.
FileTime FileTimeNow();

}  // namespace nsgx::libos
