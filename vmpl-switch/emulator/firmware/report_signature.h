// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::firmware {

// For tests: returns whether `report` is signed by the key of the certificate `vcek`, in DER.
bool SignatureHolds(const snp_report& report, std::span<const std::byte> vcek);
// By the fake chip's.
bool SignatureHolds(const snp_report& report);

}  // namespace nsgx::firmware
