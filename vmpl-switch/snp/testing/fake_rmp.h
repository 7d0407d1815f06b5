// SPDX-License-Identifier: Apache-2.0
// An SNP machine for tests of the SEH's portable parts: RAM, and an RMP that answers as the
// processor does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "vmpl-switch/snp/memory/direct_map.h"
#include "vmpl-switch/snp/memory/guest_access.h"
#include "vmpl-switch/snp/memory/guest_pages.h"
#include "vmpl-switch/snp/memory/rmp.h"

namespace nsgx::snp {

// What the RMP holds about a page of 4 KiB.
struct FakeRmpEntry {
  bool is_private = true;  // assigned to the guest by the host
  bool is_validated = false;
  bool is_large = false;  // part of an entry of 2 MiB
  bool is_vmsa = false;
  uint32_t rights = 0;  // of VMPL1
};

// Stops the test when the SEH does what hangs a real machine: a page state asked for outside RAM,
// or rights on a page that is not validated.
class FakeRmp final : public Rmp {
 public:
  explicit FakeRmp(uint64_t pages) : entries_(pages) {}

  FakeRmpEntry& entry(GuestPhys page) { return entries_.at(page.raw() >> kPageShift); }
  bool GuestMayWrite(GuestPhys page) {
    return entry(page).is_validated && (entry(page).rights & SNP_RIGHT_WRITE) != 0;
  }

  ValidateResult Validate(GuestPhys page, SnpPageSize size, bool validate) override;
  uint32_t Adjust(GuestPhys page, SnpPageSize size, uint8_t vmpl, uint32_t rights,
                  bool is_vmsa) override;
  void FlushTranslations() override { ++flushes; }

  // The next call of Adjust or Validate answers this, once.
  uint32_t fail_next_adjust = SNP_OK;
  uint32_t fail_next_validate = SNP_OK;
  uint32_t flushes = 0;
  // Called by Adjust when rights are taken away: for what a guest does at the last moment.
  void (*on_revoke)(void* context, GuestPhys page) = nullptr;
  void* context = nullptr;

 private:
  std::vector<FakeRmpEntry> entries_;
};

// RAM of the machine, its page states, and the guest's part of both.
class FakeMachine {
 public:
  static constexpr uint64_t kPages = 4096;  // 16 MiB

  FakeMachine();
  ~FakeMachine();
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  // Makes pages the guest's: private, validated, with all rights.
  void GiveToGuest(GuestPhys first, uint64_t count);

  template <typename T>
  T* At(GuestPhys address) {
    return memory.ObjectAt<T>(address);
  }

  std::byte* base;
  DirectMap memory;
  std::vector<uint8_t> states;
  GuestPages pages;
  GuestAccess guest;
  FakeRmp rmp;
};

}  // namespace nsgx::snp
