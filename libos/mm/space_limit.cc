// SPDX-License-Identifier: Apache-2.0
#include "libos/mm/space_limit.h"

namespace nsgx::libos {

void SpaceLimit::Init(uint64_t begin, uint64_t end) {
  SpinLockGuard guard(lock_);
  program_end_ = begin;
  library_begin_ = end;
}

bool SpaceLimit::RaiseProgramEnd(uint64_t end) {
  SpinLockGuard guard(lock_);
  if (end > library_begin_) {
    return false;
  }
  program_end_ = program_end_ < end ? end : program_end_;
  return true;
}

uint64_t SpaceLimit::program_limit() {
  SpinLockGuard guard(lock_);
  return library_begin_;
}

uint64_t SpaceLimit::Grow(uint64_t size) {
  SpinLockGuard guard(lock_);
  if (library_begin_ - program_end_ < size) {
    return 0;
  }
  library_begin_ -= size;
  return library_begin_;
}

namespace {
constinit SpaceLimit space;
}  // namespace

SpaceLimit& Space() { return space; }

}  // namespace nsgx::libos
