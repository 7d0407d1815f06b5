// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <time.h>

#include <cstdint>

namespace nsgx::loader {

// Nanoseconds to sleep at the most; kNoTimeout: until woken.
inline constexpr uint64_t kNoTimeout = ~uint64_t{0};

inline timespec ToTimespec(uint64_t nanoseconds) {
  constexpr uint64_t kSecond = 1'000'000'000;
  return {.tv_sec = static_cast<time_t>(nanoseconds / kSecond),
          .tv_nsec = static_cast<long>(nanoseconds % kSecond)};
}

}  // namespace nsgx::loader
