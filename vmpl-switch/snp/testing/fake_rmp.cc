// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/testing/fake_rmp.h"

#include <sys/mman.h>

#include <utility>

#include "base/core/check.h"

namespace nsgx::snp {

ValidateResult FakeRmp::Validate(GuestPhys page, SnpPageSize size, bool validate) {
  if (fail_next_validate != SNP_OK) {
    return {std::exchange(fail_next_validate, SNP_OK), false};
  }
  const bool is_large = size == SnpPageSize::k2M;
  const uint64_t count = is_large ? kLargePageSize / kPageSize : 1;
  CHECK(IsAligned(page, count * kPageSize));
  bool unchanged = true;
  for (uint64_t i = 0; i < count; ++i) {
    FakeRmpEntry& at = entry(page + i * kPageSize);
    CHECK(at.is_private);  // a nested page fault on hardware
    if (is_large && !at.is_large) {
      return {SNP_FAIL_SIZE_MISMATCH, false};
    }
    unchanged &= at.is_validated == validate;
  }
  for (uint64_t i = 0; i < count && !unchanged; ++i) {
    entry(page + i * kPageSize).is_validated = validate;
  }
  return {SNP_OK, unchanged};
}

uint32_t FakeRmp::Adjust(GuestPhys page, SnpPageSize size, uint8_t vmpl, uint32_t rights,
                         bool is_vmsa) {
  if (fail_next_adjust != SNP_OK) {
    return std::exchange(fail_next_adjust, SNP_OK);
  }
  const bool is_large = size == SnpPageSize::k2M;
  const uint64_t count = is_large ? kLargePageSize / kPageSize : 1;
  CHECK(vmpl == kGuestVmpl && IsAligned(page, count * kPageSize));
  for (uint64_t i = 0; i < count; ++i) {
    FakeRmpEntry& at = entry(page + i * kPageSize);
    CHECK(at.is_private && at.is_validated);
    if (is_large && !at.is_large) {
      return SNP_FAIL_SIZE_MISMATCH;
    }
    if (rights == 0 && at.rights != 0 && on_revoke != nullptr) {
      on_revoke(context, page);
    }
    at.rights = rights;
    at.is_vmsa = is_vmsa;
  }
  return SNP_OK;
}

FakeMachine::FakeMachine()
    : base(static_cast<std::byte*>(mmap(nullptr, kPages * kPageSize, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
      memory(base, kPages * kPageSize),
      states(kPages),
      guest(memory, pages),
      rmp(kPages) {
  CHECK(base != MAP_FAILED);
  pages.Initialize(states);
}

FakeMachine::~FakeMachine() { munmap(base, kPages * kPageSize); }

void FakeMachine::GiveToGuest(GuestPhys first, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    rmp.entry(first + i * kPageSize) = {.is_validated = true, .rights = SNP_RIGHTS_ALL};
  }
  pages.SetInitial(PageRange<GuestPhysTag>::OfPages(first, count).value(), PageState::kGuest);
}

}  // namespace nsgx::snp
