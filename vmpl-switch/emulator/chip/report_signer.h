// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::chip {

// Signs `report` as the processor would: ECDSA P-384 over SHA-384 of what stands before the signature. `private_key` is
// big-endian. The nonce follows from key and message (RFC 6979): equal input gives equal bytes. Nothing else of the report changes.
//
// Errors: kInvalidArgument  the key is not one of P-384.
//         kNoMemory         no memory for intermediate values.
Result<void> SignReport(std::span<const std::byte, 48> private_key, snp_report& report);

}  // namespace nsgx::chip
