// SPDX-License-Identifier: Apache-2.0
// Makes certificates as AMD's key server hands them out, and what tests need to be refused. For
// build-time programs and tests.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpl-switch/emulator/chip/der.h"
#include "vmpl-switch/emulator/chip/sim_keys.h"

namespace nsgx::chip {

// AMD's own extensions (1.3.6.1.4.1.3704.1.*), found in VCEK and VLEK certificates.
struct AmdExtensions {
  std::string product_name;         // "Milan-B0", "Turin"
  std::array<uint8_t, 8> tcb = {};  // in the byte order of a report of that product
  bool is_turin_layout = false;     // what the bytes of `tcb` mean
  std::vector<uint8_t> hwid;        // empty: none (VLEK)
  bool wraps_hwid = false;  // in an OCTET STRING of its own, as some of AMD's certificates do
  std::string csp_id;       // only in VLEKs
};

struct CertificateSpec {
  std::string subject;  // common names; the other parts of the name are the same everywhere
  std::string issuer;
  uint64_t serial = 0;
  std::string not_before = "20200101000000Z";
  std::string not_after = "20491231235959Z";
  der::Der public_key_info;
  std::optional<int> ca_path_length;  // set: an authority; negative: without limit
  bool may_sign_revocations = false;
  std::optional<AmdExtensions> amd;
};

// SubjectPublicKeyInfo in DER of the P-384 key of a label.
der::Der EcPublicKeyInfo(std::string_view label);

// Returns the certificate in DER, signed by `issuer_key` (RSASSA-PSS, SHA-384).
der::Der MakeCertificate(const CertificateSpec& spec, const RsaKey& issuer_key);

// Returns a certificate revocation list in DER, version 2.
der::Der MakeRevocationList(const std::string& issuer, const std::string& this_update,
                            const std::string& next_update,
                            const std::vector<uint64_t>& revoked_serials, const RsaKey& issuer_key);

}  // namespace nsgx::chip
