// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/evidence.h"

#include <algorithm>

#include "base/core/bytes.h"

namespace nsgx::verify {

namespace {

constexpr uint32_t kCertificateCount = 3;

static_assert(sizeof(snp_report) == SNP_REPORT_SIZE);
static_assert(sizeof(nsgx_evidence_core) == 384 + 96 + 96 + SNP_REPORT_SIZE);

Result<Certificate> ReadCertificate(ByteReader& reader) {
  const uint32_t size = TRY(reader.Read<uint32_t>());
  return Certificate::Parse(TRY(reader.ReadBytes(size)));
}

}  // namespace

Result<Evidence> ParseEvidence(std::span<const std::byte> file) {
  if (file.size() > NSGX_EVIDENCE_MAX_SIZE) {
    return Error(Status::kMalformed);
  }
  ByteReader reader(file);
  const nsgx_evidence_header header = TRY(reader.ReadObject<nsgx_evidence_header>());
  if (header.magic != NSGX_EVIDENCE_MAGIC || header.version != NSGX_EVIDENCE_VERSION ||
      header.size != file.size() || header.certificate_count != kCertificateCount ||
      header.reserved != 0) {
    return Error(Status::kMalformed);
  }
  const nsgx_evidence_core core = TRY(reader.ReadObject<nsgx_evidence_core>());
  if (core.body.magic != NSGX_REPORT_MAGIC || core.body.version != NSGX_REPORT_VERSION) {
    return Error(Status::kMalformed);
  }
  Statement statement;
  statement.body = core.body;
  std::ranges::copy(View(core.seh_public_key), statement.seh_key.begin());
  std::ranges::copy(View(core.seh_signature), statement.signature.begin());
  ByteReader report_reader(View(core.snp_report));
  const snp_report report = TRY(report_reader.ReadObject<snp_report>());

  Certificate chip = TRY(ReadCertificate(reader));
  Certificate intermediate = TRY(ReadCertificate(reader));
  Certificate root = TRY(ReadCertificate(reader));
  if (!reader.at_end()) {
    return Error(Status::kMalformed);
  }
  return Evidence{statement, report, std::move(chip), std::move(intermediate), std::move(root)};
}

Result<Evidence> FromHardwareReport(std::span<const std::byte> report,
                                    std::span<const std::byte> chip_certificate,
                                    std::span<const std::byte> authorities) {
  if (report.size() != SNP_REPORT_SIZE) {
    return Error(Status::kMalformed);
  }
  ByteReader reader(report);
  const snp_report parsed_report = TRY(reader.ReadObject<snp_report>());

  const std::vector<Bytes> chips = TRY(SplitCertificates(chip_certificate));
  if (chips.size() != 1) {
    return Error(Status::kMalformed);
  }
  Certificate chip = TRY(Certificate::Parse(chips[0]));
  std::optional<Certificate> intermediate;
  std::optional<Certificate> root;
  for (const Bytes& der : TRY(SplitCertificates(authorities))) {
    Certificate authority = TRY(Certificate::Parse(der));
    if (authority.is_self_issued()) {
      root.emplace(std::move(authority));
    } else if (!intermediate || chip.NamesAsIssuer(authority)) {
      intermediate.emplace(std::move(authority));
    }
  }
  if (!intermediate || !root) {
    return Error(Status::kMalformed);
  }
  return Evidence{std::nullopt, parsed_report, std::move(chip), std::move(*intermediate),
                  std::move(*root)};
}

}  // namespace nsgx::verify
