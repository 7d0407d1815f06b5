// SPDX-License-Identifier: Apache-2.0
// A processor for tests of enclaves: its ring 3 is a list of what an enclave does next, and its
// alias shows each page twice, as the real one does.
#pragma once

#include <sys/mman.h>

#include <deque>
#include <functional>
#include <set>

#include "base/core/check.h"
#include "vmpl-switch/snp/enclave/hardware.h"
#include "vmpl-switch/snp/enclave/layout.h"
#include "vmpl-switch/snp/memory/direct_map.h"

namespace nsgx::snp {

class FakeHardware final : public EnclaveHardware {
 public:
  // What ring 3 does until the next event.
  using Action = std::function<Ring3Event(Ring3State& state)>;

  // Requires: memory that `memory` shows is shared, so that it can be mapped twice.
  explicit FakeHardware(const DirectMap& memory)
      : memory_(memory),
        alias_(static_cast<std::byte*>(mmap(nullptr, kAliasSize, PROT_NONE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
    CHECK(alias_ != MAP_FAILED);
  }
  ~FakeHardware() { munmap(alias_, kAliasSize); }
  FakeHardware(const FakeHardware&) = delete;
  FakeHardware& operator=(const FakeHardware&) = delete;

  void Activate(const AddressSpace* space) override {
    if (space != active) {
      Forget(0, kAliasSize);
    }
    active = space;
  }

  void FlushPages(EnclaveVirt start, uint64_t count) override {
    CHECK(active != nullptr);
    Forget(start.raw() - kEnclaveBase, count * kPageSize);
  }

  // A page that is not flushed when it is taken away stays here, and what is done to it shows.
  std::span<std::byte> Alias(const AddressSpace& space, EnclaveVirt start, uint64_t size) override {
    CHECK(active == &space);
    for (EnclaveVirt page = start.PageStart(); page < start + size; page += kPageSize) {
      std::byte* memory = memory_.At(space.Translate(page.raw()).value());
      remembered_.insert(page.raw());
      std::byte* to = alias_ + (page.raw() - kEnclaveBase);
      // Size 0: a second mapping of the same pages.
      CHECK(mremap(memory, 0, kPageSize, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    }
    return {alias_ + (start.raw() - kEnclaveBase), size};
  }

  Ring3Event Run(Ring3State& state) override {
    CHECK(active != nullptr && !actions.empty());
    CHECK((state.frame.cs & 3) == 3 && (state.frame.ss & 3) == 3);
    CHECK((state.frame.rflags & 0x3200) == 0);  // IF and IOPL
    const Action action = actions.front();
    actions.pop_front();
    ++runs;
    return action(state);
  }

  // Whether a translation of this page may still be in use.
  bool Remembers(uint64_t address) const { return remembered_.contains(address); }

  bool EventPending() override {
    ++event_checks;
    return has_event;
  }

  const ExtendedState& extended_state() const override { return extended; }

  const AddressSpace* active = nullptr;
  std::deque<Action> actions;
  bool has_event = false;
  uint32_t runs = 0;
  uint32_t event_checks = 0;
  ExtendedState extended;

 private:
  static constexpr uint64_t kAliasSize = uint64_t{64} << 20;

  void Forget(uint64_t offset, uint64_t size) {
    remembered_.erase(remembered_.lower_bound(kEnclaveBase + offset),
                      remembered_.lower_bound(kEnclaveBase + offset + size));
    CHECK(mmap(alias_ + offset, size, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == alias_ + offset);
  }

  const DirectMap& memory_;
  std::byte* const alias_;
  std::set<uint64_t> remembered_;
};

}  // namespace nsgx::snp
