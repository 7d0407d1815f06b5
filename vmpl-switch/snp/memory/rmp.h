// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/core/addr.h"
#include "base/core/result.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {

// The VMPL that the guest runs at. The SEH is at 0; 2 and 3 stay without any right.
inline constexpr uint8_t kGuestVmpl = 1;

enum class SnpPageSize : uint32_t { k4K = SNP_SIZE_4K, k2M = SNP_SIZE_2M };

// What PVALIDATE said.
struct ValidateResult {
  uint32_t code;   // SNP_OK, SNP_FAIL_*
  bool unchanged;  // the page was in that state before: somebody has played with the mapping

  bool ok() const { return code == SNP_OK && !unchanged; }
};

// The processor's instructions that speak about pages, as the SEH uses them: by guest-physical
// address, which the image turns into one of its own addresses. Tests have one of plain C++.
//
// Requires of all: the page is aligned to its size and is one that the SEH may touch the state of
// (GuestPages).
class Rmp {
 public:
  // PVALIDATE. `validate` false takes the state back.
  virtual ValidateResult Validate(GuestPhys page, SnpPageSize size, bool validate) = 0;

  // RMPADJUST: gives VMPL `vmpl` exactly `rights` (SNP_RIGHT_*) on a page, and makes it a VMSA or
  // no VMSA. Returns SNP_OK or SNP_FAIL_*.
  virtual uint32_t Adjust(GuestPhys page, SnpPageSize size, uint8_t vmpl, uint32_t rights,
                          bool is_vmsa) = 0;

  // Makes sure that no processor still uses a right that Adjust or Validate took away.
  virtual void FlushTranslations() = 0;

 protected:
  ~Rmp() = default;
};

// Gives the guest all rights, or none, on one page of 4 KiB.
//
// Errors: kHostFault  the processor refuses: the host has changed the page's state.
inline Result<void> GiveToGuest(Rmp& rmp, GuestPhys page) {
  if (rmp.Adjust(page, SnpPageSize::k4K, kGuestVmpl, SNP_RIGHTS_ALL, false) != SNP_OK) {
    return Error(Status::kHostFault);
  }
  return {};
}
inline Result<void> TakeFromGuest(Rmp& rmp, GuestPhys page) {
  if (rmp.Adjust(page, SnpPageSize::k4K, kGuestVmpl, 0, false) != SNP_OK) {
    return Error(Status::kHostFault);
  }
  return {};
}

}  // namespace nsgx::snp
