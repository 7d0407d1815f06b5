// SPDX-License-Identifier: Apache-2.0
// The fake chip: plays AMD's secure processor on machines without one. It proves function, never
// secrecy: its private keys follow from text in this folder, so everybody can sign with them. Each
// of its certificates says so by name, and verifiers refuse what it signs unless told otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/core/result.h"

namespace nsgx::chip {

inline constexpr size_t kReportSize = 1184;

// What the caller, who plays the hardware's view of one guest, chooses; everything else in a report
// is the chip's own.
struct ReportFields {
  std::array<std::byte, 48> measurement = {};  // of what runs at VMPL0
  uint32_t vmpl = 0;                           // of the one who asks; the caller vouches for it
  uint32_t guest_svn = 0;
  uint64_t policy = 0x30000;  // SNP_POLICY_*: hyper-threading allowed, no debugging, no migration
  std::array<std::byte, 16> family_id = {};
  std::array<std::byte, 16> image_id = {};
  std::array<std::byte, 32> host_data = {};
  std::array<std::byte, 48> id_key_digest = {};
  std::array<std::byte, 48> author_key_digest = {};
  std::array<std::byte, 32> report_id = {};
};

// Writes a signed report (struct snp_report, version 3) over `report_data`. Takes milliseconds: one
// ECDSA P-384 signature. The same input gives the same bytes.
//
// Errors: kNoMemory  no memory for the signature's intermediate values.
Result<void> MakeReport(const ReportFields& fields, std::span<const std::byte, 64> report_data,
                        std::span<std::byte, kReportSize> out);

// The certificates that go with it, as at the end of evidence.bin: VCEK, ASK, ARK in DER, each
// preceded by its size as uint32_t. Constant; lives for ever.
std::span<const std::byte> CertificateChain();

}  // namespace nsgx::chip
