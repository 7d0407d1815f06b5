// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/memory/guest_pages.h"

#include "base/core/check.h"

namespace nsgx::snp {

Result<size_t> GuestPages::IndexOf(GuestPhys page) const {
  const uint64_t index = page.raw() >> kPageShift;
  if (index >= table_.size()) {
    return Error(Status::kInvalidArgument);
  }
  return static_cast<size_t>(index);
}

void GuestPages::SetInitial(const PageRange<GuestPhysTag>& pages, PageState state) {
  for (const GuestPhys page : pages) {
    table_[IndexOf(page).value()] = static_cast<uint8_t>(state);
  }
}

PageState GuestPages::StateOf(GuestPhys address) const {
  const Result<size_t> index = IndexOf(address);
  if (!index.ok()) {
    return PageState::kAbsent;
  }
  const uint8_t value = __atomic_load_n(&table_[index.value()], __ATOMIC_ACQUIRE);
  return (value & kBusyBit) != 0 ? PageState::kAbsent : static_cast<PageState>(value);
}

Result<void> GuestPages::Begin(GuestPhys page, PageState from) {
  if (!page.is_page_aligned()) {
    return Error(Status::kInvalidArgument);
  }
  const size_t index = TRY(IndexOf(page));
  uint8_t expected = static_cast<uint8_t>(from);
  if (__atomic_compare_exchange_n(&table_[index], &expected,
                                  static_cast<uint8_t>(expected | kBusyBit), false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    return {};
  }
  return Error((expected & kBusyBit) != 0 ? Status::kBusy : Status::kPermissionDenied);
}

void GuestPages::Finish(GuestPhys page, PageState to) {
  uint8_t& entry = table_[IndexOf(page).value()];
  CHECK((__atomic_load_n(&entry, __ATOMIC_RELAXED) & kBusyBit) != 0);
  __atomic_store_n(&entry, static_cast<uint8_t>(to), __ATOMIC_RELEASE);
}

void GuestPages::Abandon(GuestPhys page) {
  uint8_t& entry = table_[IndexOf(page).value()];
  const uint8_t value = __atomic_load_n(&entry, __ATOMIC_RELAXED);
  CHECK((value & kBusyBit) != 0);
  __atomic_store_n(&entry, static_cast<uint8_t>(value & ~kBusyBit), __ATOMIC_RELEASE);
}

Result<void> GuestPages::CheckGuestBytes(GuestPhys start, uint64_t size) const {
  // A size within one page can't make the sum wrap.
  if (size == 0 || size > kPageSize - start.page_offset() || !IndexOf(start).ok()) {
    return Error(Status::kInvalidArgument);
  }
  if (!GuestMayAccess(StateOf(start))) {
    return Error(Status::kPermissionDenied);
  }
  return {};
}

uint64_t GuestPages::Count(PageState state) const {
  uint64_t count = 0;
  for (const uint8_t& entry : table_) {
    if (__atomic_load_n(&entry, __ATOMIC_RELAXED) == static_cast<uint8_t>(state)) {
      ++count;
    }
  }
  return count;
}

}  // namespace nsgx::snp
