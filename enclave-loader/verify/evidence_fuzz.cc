// SPDX-License-Identifier: Apache-2.0
// Evidence comes from strangers: whatever it is, it is malformed, refused or verified, and verified
// only when it is the one file that was signed.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "enclave-loader/verify/verify.h"

namespace {

using nsgx::Result;
using nsgx::verify::Evidence;
using nsgx::verify::Malformed;
using nsgx::verify::Policy;
using nsgx::verify::Verdict;

Policy StrictPolicy() {
  Policy policy;
  policy.time = 1795651200;  // 26 November 2026
  policy.allow_simulated = true;
  policy.identities.emplace_back();
  policy.signers.emplace_back();
  policy.report_data.emplace();
  policy.minimum_svn = 1;
  policy.minimum_tcb.microcode = 1;
  return policy;
}

void Run(const Result<Evidence, Malformed>& evidence) {
  if (!evidence.ok()) {
    return;
  }
  const Verdict verdict = nsgx::verify::Verify(evidence.value(), StrictPolicy());
  // Nobody has made evidence for an identity of zeros.
  CHECK(!verdict.verified());
  CHECK(!verdict.FirstFailure()->expected.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  Run(nsgx::verify::ParseEvidence(input));
  // The same bytes as the files of a hardware report: the report, the chip's certificate after its
  // size in two bytes, authorities.
  nsgx::ByteReader reader(input);
  const auto report = reader.ReadBytes(SNP_REPORT_SIZE);
  const auto chip_size = reader.Read<uint16_t>();
  if (report.ok() && chip_size.ok()) {
    const auto chip = reader.ReadBytes(chip_size.value());
    if (chip.ok()) {
      const auto authorities = input.subspan(reader.offset());
      Run(nsgx::verify::FromHardwareReport(report.value(), chip.value(), authorities));
    }
  }
  return 0;
}
