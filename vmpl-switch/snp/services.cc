// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/services.h"

#include "base/core/mem_raw.h"

namespace nsgx::snp {
namespace {

Result<void> BeginToTake(const Services& services, GuestPhys page) {
  TRY(services.pages.Begin(page, PageState::kGuest));
  Result<void> taken = TakeFromGuest(services.rmp, page);
  if (!taken.ok()) {
    services.pages.Abandon(page);
  }
  return taken;
}

}  // namespace

Result<void> TakeGuestPages(const Services& services, std::span<const GuestPhys> pages,
                            size_t* taken) {
  Status status = Status::kOk;
  size_t count = 0;
  while (count < pages.size()) {
    status = ToStatus(BeginToTake(services, pages[count]));
    if (status != Status::kOk) {
      break;
    }
    ++count;
  }
  *taken = count;
  if (count != 0) {
    services.rmp.FlushTranslations();
  }
  for (const GuestPhys page : pages.first(count)) {
    FillOnce(services.memory.At(page), std::byte{0}, kPageSize);
    services.pages.Finish(page, PageState::kEnclavePool);
  }
  return status == Status::kOk ? Result<void>() : Error(status);
}

Result<void> ReturnGuestPage(const Services& services, GuestPhys page) {
  TRY(services.pages.Begin(page, PageState::kEnclavePool));
  FillOnce(services.memory.At(page), std::byte{0}, kPageSize);
  if (!GiveToGuest(services.rmp, page).ok()) {
    services.pages.Abandon(page);
    return Error(Status::kHostFault);
  }
  services.pages.Finish(page, PageState::kGuest);
  return {};
}

}  // namespace nsgx::snp
