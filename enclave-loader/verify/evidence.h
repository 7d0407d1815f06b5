// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/core/result.h"
#include "base/crypto/ecdsa_p384.h"
#include "enclave-loader/verify/certificate.h"
#include "vmpl-switch/abi/report.h"
#include "vmpl-switch/abi/snp_report.h"

namespace nsgx::verify {

// What a SEH says about one enclave.
struct Statement {
  nsgx_report_body body;
  EcdsaP384PublicKey::Raw seh_key;  // perhaps no point of the curve
  EcdsaP384Signature signature;
};

// Evidence in its parts. They fit their formats, and nothing more is known of them.
struct Evidence {
  std::optional<Statement> statement;  // nothing: a hardware report alone
  snp_report report;
  Certificate chip;          // VCEK or VLEK
  Certificate intermediate;  // ASK or ASVK
  Certificate root;          // ARK
};

// Why something cannot even be looked at; for people.
struct Malformed {
  std::string_view what;  // lives for ever
};

// Takes an evidence.bin (vmpl-switch/abi/report.h) apart.
//
// Errors: it does not follow the format, or is of a version that we do not know.
Result<Evidence, Malformed> ParseEvidence(std::span<const std::byte> file);

// The same for a report that was made without a SEH, as other tools keep it: the report, the chip's
// certificate, and a file with the authorities' certificates; each certificate in PEM or DER. Of
// several authorities the one that the chip names is taken.
//
// Errors: one of them does not follow its format, or the authorities are not all there.
Result<Evidence, Malformed> FromHardwareReport(std::span<const std::byte> report,
                                               std::span<const std::byte> chip_certificate,
                                               std::span<const std::byte> authorities);

}  // namespace nsgx::verify
