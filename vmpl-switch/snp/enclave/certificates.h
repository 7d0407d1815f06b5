// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/core/result.h"

namespace nsgx::snp {

// Turns the host's table of certificates into what follows evidence (abi/report.h): VCEK or VLEK,
// ASK, ARK in DER, each behind its size. Returns the size of what is in `out`.
//
// Errors: kNotFound    one is missing, as with a host that was not given any.
//         kMalformed   the table breaks its format.
//         kOutOfRange  `out` is too small.
// Trust:  the table is the host's. Nobody believes certificates because of where they come from.
Result<size_t> ArrangeCertificates(std::span<const std::byte> table, std::span<std::byte> out);

}  // namespace nsgx::snp
