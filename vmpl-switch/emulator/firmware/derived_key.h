// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::firmware {

// What the firmware knows about a guest that asks for a key. The fake chip launches no guest with
// an ID block, so image, family and security version are zero.
struct KeyOwner {
  uint64_t policy;
  std::array<std::byte, 48> measurement;
};

// Derives the key that `request` asks for from the chip's root: the same for the same choice of
// fields and the same guest, on every start of every such machine. Like all that the fake chip
// has, it is secret from nobody.
//
// Errors: kInvalidArgument  reserved bits, a root key that this chip does not have, or a security
//                           version above the guest's or the chip's own.
// Requires: the caller has checked request.vmpl.
Result<void> DeriveKey(const snp_key_request& request, const KeyOwner& owner,
                       std::span<std::byte, 32> key);

}  // namespace nsgx::firmware
