// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"

namespace nsgx::firmware {

// Bytes that the table takes.
size_t CertificateTableSize();

// Writes the chip's certificates (VCEK, ASK, ARK) in the form in which hosts hand them to guests: a
// list of {GUID, offset, size}, an entry of zeros, the certificates.
//
// Errors: kOutOfRange  `out` is too small.
Result<void> WriteCertificateTable(std::span<std::byte> out);

}  // namespace nsgx::firmware
