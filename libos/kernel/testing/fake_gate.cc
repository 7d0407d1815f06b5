// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/testing/fake_gate.h"

#include <sys/mman.h>

#include <chrono>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#include "base/core/check.h"
#include "libos/kernel/gate.h"

namespace nsgx::libos {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kAlignment = uint64_t{2} << 20;
constexpr int kUncommitted = -1;

// The state of each page: kUncommitted, or its rights.
struct State {
  std::mutex mutex;
  uint64_t begin = 0;
  std::vector<int8_t> pages;
  uint64_t page_limit = ~uint64_t{0};
  testing::GateCounts counts = {};
};

State& TheState() {
  static State* state = new State;  // used until the process ends
  return *state;
}

int ProtectionOf(gate::Rights rights) {
  const uint32_t bits = static_cast<uint32_t>(rights);
  return ((bits & NSGX_PERMISSION_READ) != 0 ? PROT_READ : 0) |
         ((bits & NSGX_PERMISSION_WRITE) != 0 ? PROT_WRITE : 0) |
         ((bits & NSGX_PERMISSION_EXECUTE) != 0 ? PROT_EXEC : 0);
}

// The page index of a range that the contract allows.
uint64_t CheckedIndex(const State& state, uint64_t address, uint64_t size) {
  CHECK(address % kPage == 0 && size % kPage == 0 && size != 0);
  CHECK(address >= state.begin);
  CHECK((address - state.begin + size) / kPage <= state.pages.size());
  return (address - state.begin) / kPage;
}

void Apply(uint64_t address, uint64_t size, gate::Rights rights) {
  CHECK(mprotect(reinterpret_cast<void*>(address), size, ProtectionOf(rights)) == 0);
}

int RightsAt(uint64_t address) {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  const uint64_t index = (address - state.begin) / kPage;
  return index < state.pages.size() ? state.pages[index] : kUncommitted;
}

bool Has(uint64_t address, uint32_t permission) {
  const int rights = RightsAt(address);
  return rights > 0 && (static_cast<uint32_t>(rights) & permission) != 0;
}

}  // namespace

namespace gate {

Result<void> Commit(uint64_t address, uint64_t size, Rights rights) {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  const uint64_t first = CheckedIndex(state, address, size);
  for (uint64_t i = first; i < first + size / kPage; ++i) {
    CHECK(state.pages[i] == kUncommitted);
  }
  if (state.counts.committed_pages + size / kPage > state.page_limit) {
    return Error(Status::kNoMemory);
  }
  for (uint64_t i = first; i < first + size / kPage; ++i) {
    state.pages[i] = static_cast<int8_t>(rights);
  }
  ++state.counts.commits;
  state.counts.committed_pages += size / kPage;
  Apply(address, size, rights);
  return {};
}

Result<void> Protect(uint64_t address, uint64_t size, Rights rights) {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  const uint64_t first = CheckedIndex(state, address, size);
  for (uint64_t i = first; i < first + size / kPage; ++i) {
    if (state.pages[i] == kUncommitted) {
      return Error(Status::kBadState);
    }
  }
  for (uint64_t i = first; i < first + size / kPage; ++i) {
    state.pages[i] = static_cast<int8_t>(rights);
  }
  ++state.counts.protects;
  Apply(address, size, rights);
  return {};
}

Result<void> Trim(uint64_t address, uint64_t size) {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  const uint64_t first = CheckedIndex(state, address, size);
  for (uint64_t i = first; i < first + size / kPage; ++i) {
    CHECK(state.pages[i] != kUncommitted);
    state.pages[i] = kUncommitted;
  }
  ++state.counts.trims;
  state.counts.committed_pages -= size / kPage;
  CHECK(madvise(reinterpret_cast<void*>(address), size, MADV_DONTNEED) == 0);
  Apply(address, size, Rights::kNone);
  return {};
}

Result<void> Entropy(std::span<std::byte> out) {
  std::random_device device;
  for (std::byte& byte : out) {
    byte = static_cast<std::byte>(device());
  }
  return {};
}

// The TSC against the host's clock, over a moment.
Result<void> Clock(nsgx_clock* clock) {
  using std::chrono::steady_clock;
  static const nsgx_clock rate = [] {
    const auto start = steady_clock::now();
    const uint64_t start_tsc = __builtin_ia32_rdtsc();
    while (steady_clock::now() - start < std::chrono::milliseconds(2)) {
    }
    const uint64_t ticks = __builtin_ia32_rdtsc() - start_tsc;
    const uint64_t nanoseconds =
        static_cast<uint64_t>(std::chrono::nanoseconds(steady_clock::now() - start).count());
    return nsgx_clock{.tsc_base = start_tsc,
                      .ns_base = 1'000'000'000,
                      .multiplier = static_cast<uint64_t>(
                          (static_cast<unsigned __int128>(nanoseconds) << 32) / ticks)};
  }();
  const uint64_t now = __builtin_ia32_rdtsc();
  const uint64_t elapsed = static_cast<uint64_t>(
      static_cast<unsigned __int128>(now - rate.tsc_base) * rate.multiplier >> 32);
  *clock = {.tsc_base = now, .ns_base = rate.ns_base + elapsed, .multiplier = rate.multiplier};
  return {};
}

}  // namespace gate

namespace testing {

FakeRange::FakeRange(uint64_t size) : size_(size) {
  void* reserved = mmap(nullptr, size + kAlignment, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(reserved != MAP_FAILED);
  begin_ = (reinterpret_cast<uint64_t>(reserved) + kAlignment - 1) & ~(kAlignment - 1);
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  CHECK(state.pages.empty());
  state.begin = begin_;
  state.pages.assign(size / kPage, kUncommitted);
  state.counts = {};
  state.page_limit = ~uint64_t{0};
}

FakeRange::~FakeRange() {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  state.pages.clear();
  munmap(reinterpret_cast<void*>(begin_), size_);
}

GateCounts gate_counts() {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  return state.counts;
}

void LimitCommittedPages(uint64_t pages) {
  State& state = TheState();
  std::lock_guard lock(state.mutex);
  state.page_limit = pages;
}

bool IsReadable(uint64_t address) { return Has(address, NSGX_PERMISSION_READ); }
bool IsWritable(uint64_t address) { return Has(address, NSGX_PERMISSION_WRITE); }
bool IsExecutable(uint64_t address) { return Has(address, NSGX_PERMISSION_EXECUTE); }

}  // namespace testing
}  // namespace nsgx::libos
