// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/services.h"

#include "base/core/mem_raw.h"

namespace nsgx::snp {

Result<void> TakeGuestPage(const Services& services, GuestPhys page) {
  TRY(services.pages.Begin(page, PageState::kGuest));
  const Result<void> taken = TakeFromGuest(services.rmp, page);
  if (!taken.ok()) {
    services.pages.Abandon(page);
    return Error(taken.error());
  }
  services.rmp.FlushTranslations();
  FillOnce(services.memory.At(page), std::byte{0}, kPageSize);
  services.pages.Finish(page, PageState::kEnclavePool);
  return {};
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
