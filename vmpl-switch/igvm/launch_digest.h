// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/addr.h"
#include "base/crypto/sha512.h"
#include "vmpl-switch/igvm/reader.h"

namespace nsgx::igvm {

// The launch digest of an SNP guest, as the firmware computes it: a chain of SHA-384 with one link
// a page (struct snp_page_info).
class LaunchDigest {
 public:
  using Value = Sha384::Digest;

  // Adds a page whose contents count: SNP_PAGE_NORMAL or SNP_PAGE_VMSA.
  void AddContents(uint8_t page_type, GuestPhys address,
                   std::span<const std::byte, kPageSize> page);
  // Adds a page of which only type and place count: SNP_PAGE_UNMEASURED, _SECRETS, _CPUID, _ZERO.
  void AddPlace(uint8_t page_type, GuestPhys address);

  // Adds what one directive of a file puts into the digest; nothing for most kinds.
  void Add(const Directive& directive);

  const Value& value() const { return value_; }

 private:
  void Link(uint8_t page_type, GuestPhys address, const Value& contents);

  Value value_ = {};
};

// Returns the digest of all that `file` puts there, in its order.
LaunchDigest::Value MeasureFile(const File& file);

}  // namespace nsgx::igvm
