// SPDX-License-Identifier: Apache-2.0
#include "libos/vfs/testing/user_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <set>

#include "base/core/addr.h"
#include "base/core/check.h"
#include "libos/kernel/user_memory.h"

namespace nsgx::libos {
namespace {

constexpr size_t kArenaSize = size_t{256} << 20;

struct Arena {
  std::mutex mutex;
  std::byte* memory = nullptr;
  size_t used = 0;
  std::set<uint64_t> missing;  // page addresses
  std::atomic<testing::AccessHook> hook{nullptr};
};

Arena& TheArena() {
  static Arena* arena = [] {
    Arena* made = new Arena;  // used until the process ends
    void* const memory = mmap(nullptr, kArenaSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    made->memory = static_cast<std::byte*>(memory);
    return made;
  }();
  return *arena;
}

// How many bytes from `address` on can be accessed, at most `size`.
size_t Accessible(uint64_t address, size_t size) {
  Arena& arena = TheArena();
  if (const testing::AccessHook hook = arena.hook.load()) {
    hook(address, size);
  }
  const uint64_t begin = reinterpret_cast<uint64_t>(arena.memory);
  if (address < begin || address - begin > kArenaSize || size > kArenaSize - (address - begin)) {
    return 0;
  }
  std::lock_guard lock(arena.mutex);
  const auto missing = arena.missing.lower_bound(address & ~kPageMask);
  if (missing == arena.missing.end() || *missing >= address + size) {
    return size;
  }
  return *missing <= address ? 0 : *missing - address;
}

std::byte* Pointer(uint64_t address) { return reinterpret_cast<std::byte*>(address); }

}  // namespace

Result<void, Errno> CopyFromUser(std::span<std::byte> to, uint64_t from) {
  const size_t size = Accessible(from, to.size());
  if (size != 0) {
    std::memcpy(to.data(), Pointer(from), size);
  }
  if (size < to.size()) {
    return Error(Errno::kEFAULT);
  }
  return {};
}

Result<void, Errno> CopyToUser(uint64_t to, std::span<const std::byte> from) {
  const size_t size = Accessible(to, from.size());
  if (size != 0) {
    std::memcpy(Pointer(to), from.data(), size);
  }
  if (size < from.size()) {
    return Error(Errno::kEFAULT);
  }
  return {};
}

Result<void, Errno> ZeroUser(uint64_t to, size_t size) {
  const size_t accessible = Accessible(to, size);
  if (accessible != 0) {
    std::memset(Pointer(to), 0, accessible);
  }
  if (accessible < size) {
    return Error(Errno::kEFAULT);
  }
  return {};
}

Result<size_t, Errno> CopyStringFromUser(std::span<char> out, uint64_t from) {
  for (size_t i = 0; i < out.size(); ++i) {
    TRY(CopyFromUser(std::as_writable_bytes(out.subspan(i, 1)), from + i));
    if (out[i] == '\0') {
      return i;
    }
  }
  return Error(Errno::kENAMETOOLONG);
}

namespace testing {

std::span<std::byte> AllocateUser(size_t size) {
  constexpr size_t kAlignment = 16;
  Arena& arena = TheArena();
  std::lock_guard lock(arena.mutex);
  const size_t at = (arena.used + kAlignment - 1) & ~(kAlignment - 1);
  CHECK(size <= kArenaSize && at <= kArenaSize - size);
  arena.used = at + size;
  return {arena.memory + at, size};
}

std::span<std::byte> AllocateUserPages(size_t count) {
  Arena& arena = TheArena();
  {
    std::lock_guard lock(arena.mutex);
    arena.used = (arena.used + kPageSize - 1) & ~kPageMask;
  }
  return AllocateUser(count * kPageSize);
}

void TakeUserPageAway(uint64_t address) {
  Arena& arena = TheArena();
  std::lock_guard lock(arena.mutex);
  arena.missing.insert(address & ~kPageMask);
}

void SetUserAccessHook(AccessHook hook) { TheArena().hook.store(hook); }

void ResetUserArena() {
  Arena& arena = TheArena();
  std::lock_guard lock(arena.mutex);
  std::memset(arena.memory, 0, arena.used);
  arena.used = 0;
  arena.missing.clear();
  arena.hook.store(nullptr);
}

uint64_t UserString(std::string_view text) {
  const std::span<std::byte> memory = AllocateUser(text.size() + 1);
  if (!text.empty()) {
    std::memcpy(memory.data(), text.data(), text.size());
  }
  memory[text.size()] = std::byte{0};
  return AddressOf(memory);
}

std::string TextOf(std::span<const std::byte> memory, size_t size) {
  return std::string(reinterpret_cast<const char*>(memory.data()), size);
}

}  // namespace testing
}  // namespace nsgx::libos
