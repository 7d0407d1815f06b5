// SPDX-License-Identifier: Apache-2.0
// Who the process is when it touches files. One process, so one set; the C library sees to it that
// all threads change together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nsgx::libos {

inline constexpr size_t kMaxGroups = 32;

// Numbers that decide over access. Root (user 0) may do everything, as with all of Linux's
// capabilities.
struct Credentials {
  uint32_t user = 0;
  uint32_t group = 0;
  uint32_t group_count = 0;
  uint32_t groups[kMaxGroups] = {};

  bool is_root() const { return user == 0; }
  bool InGroup(uint32_t wanted) const {
    if (wanted == group) {
      return true;
    }
    for (uint32_t i = 0; i < group_count; ++i) {
      if (groups[i] == wanted) {
        return true;
      }
    }
    return false;
  }
};

// The effective ones, for all calls, and the real ones, for access(2). The system calls that change
// identity write them.
struct ProcessCredentials {
  Credentials effective;
  Credentials real;
};
extern constinit ProcessCredentials process_credentials;

}  // namespace nsgx::libos
