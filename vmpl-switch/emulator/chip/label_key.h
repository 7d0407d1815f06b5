// SPDX-License-Identifier: Apache-2.0
// P-384 keys that follow from a label and are therefore known to everybody: simulated chips sign
// with them.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "base/crypto/ecdsa_p384.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::chip {

// The private key of a label is what EcdsaP384PrivateKey::Derive makes of the first bytes of
// SHA-512(label). Errors of all functions: kNoMemory (base/crypto/mbedtls_heap.h).

Result<EcdsaP384PublicKey> LabelPublicKey(std::string_view label);

// Signs SHA-384 of `message`. Equal input gives equal bytes. Takes milliseconds.
Result<EcdsaP384Signature> SignWithLabel(std::string_view label,
                                         std::span<const std::byte> message);

// Signs a report as the processor would: what stands before the signature. Nothing else of it
// changes.
Result<void> SignReport(std::string_view label, snp_report& report);

}  // namespace nsgx::chip
