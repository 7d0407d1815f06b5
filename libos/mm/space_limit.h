// SPDX-License-Identifier: Apache-2.0
// The border between the program's memory, which grows upward, and the library OS's, which grows
// downward from the end.
#pragma once

#include <cstdint>

#include "base/core/spinlock.h"

namespace nsgx::libos {

class SpaceLimit {
 public:
  constexpr SpaceLimit() = default;

  // Once, before anything else: [begin, end) is to be shared.
  void Init(uint64_t begin, uint64_t end);

  // The program's part reaches to `end` at least, from now on. False: the library OS has that
  // memory.
  bool RaiseProgramEnd(uint64_t end);
  // How far the program's part could reach.
  uint64_t program_limit();

  // `size` more bytes for the library OS, right below what it has. Returns their address, or 0 when
  // the program is in the way.
  uint64_t Grow(uint64_t size);

 private:
  SpinLock lock_;
  uint64_t program_end_ GUARDED_BY(lock_) = 0;
  uint64_t library_begin_ GUARDED_BY(lock_) = 0;
};

SpaceLimit& Space();

}  // namespace nsgx::libos
