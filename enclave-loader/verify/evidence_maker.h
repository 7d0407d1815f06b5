// SPDX-License-Identifier: Apache-2.0
// Makes evidence for tests: good as it stands, and with whatever a test wants to be wrong about it.
// The chain is generated, with keys that everybody knows; no such evidence can be mistaken for
// AMD's.
#pragma once

#include <cstdint>
#include <string>

#include "enclave-loader/verify/policy.h"
#include "vmpl-switch/abi/report.h"
#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/emulator/chip/certificate_maker.h"

namespace nsgx::verify {

// Everything that goes into evidence, before anything is signed.
struct EvidenceParts {
  nsgx_report_body body;
  snp_report report;
  chip::CertificateSpec root, intermediate, chip;

  // Which keys sign; labels of sim_keys.h.
  chip::RsaRecipe root_key, intermediate_key;
  std::string chip_key, seh_key;
  // Signs with these instead, as a forger without the right key has to.
  chip::RsaRecipe signs_root, signs_intermediate, signs_chip;
  std::string signs_report, signs_body;
  bool binds_seh_key = true;  // report_data of the hardware report is computed from the SEH's key
};

// Evidence that verifies under TestPolicy(): machine `machine`, Genoa, report version 3. Under the
// simulated root, or for NSGX_MACHINE_SNP under a root of its own that TestPolicy() accepts.
EvidenceParts GoodParts(uint32_t machine);
// Turns them into parts signed by a VLEK, or of a Turin.
void UseVlek(EvidenceParts& parts);
void UseTurin(EvidenceParts& parts);

// Signs everything and returns the file.
Bytes Assemble(const EvidenceParts& parts);
// The same for the hardware report alone.
struct HardwareFiles {
  Bytes report, chip, authorities;
};
HardwareFiles AssembleHardware(const EvidenceParts& parts);

// Expects what GoodParts() has in it.
Policy TestPolicy();

// An authority for VLEKs, and somebody who has no business here.
inline constexpr chip::RsaRecipe kVlekSignerKey = {"NSGX test VLEK signer", 559, 770};
inline constexpr chip::RsaRecipe kStrangerKey = {"NSGX test stranger", 979, 393};

}  // namespace nsgx::verify
