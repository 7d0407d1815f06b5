// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::chip {

// Returns R || S, each big-endian: ECDSA P-384 over SHA-384 of `message`. `private_key` is big-endian and known to everybody, so it is
// not protected from side channels. The nonce follows from key and message (RFC 6979): equal input gives equal bytes.
//
// Errors: kInvalidArgument  the key is not one of P-384.
//         kNoMemory         no memory for intermediate values.
Result<std::array<std::byte, 96>> SignP384(std::span<const std::byte, 48> private_key,
                                           std::span<const std::byte> message);

// Signs `report` as the processor would: what stands before the signature. Nothing else of it changes. Errors: as above.
Result<void> SignReport(std::span<const std::byte, 48> private_key, snp_report& report);

}  // namespace nsgx::chip
