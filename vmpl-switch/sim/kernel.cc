// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/sim/kernel.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/core/check.h"

namespace nsgx::sim::kernel {
namespace {

constexpr uint64_t kReserveFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr uint64_t kNoFile = ~uint64_t{0};

bool Failed(long result) { return result < 0 && result > -4096; }

}  // namespace

Result<std::byte*> Reserve(size_t size) {
  const long result = Call(SYS_mmap, 0, size, PROT_NONE, kReserveFlags, kNoFile, 0);
  if (Failed(result)) {
    return Error(Status::kNoMemory);
  }
  return reinterpret_cast<std::byte*>(result);
}

Result<void> ReserveAt(std::byte* start, size_t size) {
  if (Failed(Call(SYS_mmap, Word(start), size, PROT_NONE, kReserveFlags | MAP_FIXED, kNoFile, 0))) {
    return Error(Status::kNoMemory);
  }
  return {};
}

Result<std::byte*> Allocate(size_t size, int key) {
  const long result = Call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, kReserveFlags, kNoFile, 0);
  if (Failed(result)) {
    return Error(Status::kNoMemory);
  }
  std::byte* memory = reinterpret_cast<std::byte*>(result);
  if (key != kNoKey) {
    const Result<void> tagged = Protect(memory, size, PROT_READ | PROT_WRITE, key);
    if (!tagged.ok()) {
      Unmap(memory, size);
      return Error(tagged.error());
    }
  }
  return memory;
}

void Unmap(std::byte* start, size_t size) { CHECK(Call(SYS_munmap, Word(start), size) == 0); }

Result<void> Protect(std::byte* start, size_t size, int protection, int key) {
  const uint64_t bits = static_cast<uint64_t>(protection);
  const long result =
      key == kNoKey ? Call(SYS_mprotect, Word(start), size, bits)
                    : Call(SYS_pkey_mprotect, Word(start), size, bits, static_cast<uint64_t>(key));
  if (result != 0) {
    return Error(Status::kNoMemory);
  }
  return {};
}

}  // namespace nsgx::sim::kernel
