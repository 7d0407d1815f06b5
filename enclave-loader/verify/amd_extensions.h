// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/core/result.h"
#include "enclave-loader/verify/bytes.h"
#include "enclave-loader/verify/generation.h"

namespace nsgx::verify {

// What AMD's own X.509 extensions (1.3.6.1.4.1.3704.1.*) say about the chip that a VCEK or VLEK
// belongs to. An extension that is not there leaves its field empty.
struct AmdExtensions {
  std::string product_name;
  std::optional<uint8_t> boot_loader, tee, snp, spare4, spare5, spare6, spare7, microcode, fmc;
  Bytes hwid;          // VCEK: 64 bytes, on Turin 8
  std::string csp_id;  // VLEK: whose it is

  // The security versions in the byte order of a report; nothing if a needed one is missing.
  std::optional<TcbBytes> Tcb(Generation generation) const;
};

// Reads the extensions of a certificate: `extensions` is the DER SEQUENCE OF Extension. Unknown
// ones are passed over.
//
// Errors: kMalformed  not DER, one of AMD's comes twice, or its value is not of the type that AMD
// documents.
Result<AmdExtensions> ParseAmdExtensions(std::span<const std::byte> extensions);

}  // namespace nsgx::verify
