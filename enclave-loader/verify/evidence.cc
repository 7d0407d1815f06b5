// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/evidence.h"

#include <algorithm>

#include "base/core/bytes.h"

namespace nsgx::verify {

namespace {

constexpr uint32_t kCertificateCount = 3;

static_assert(sizeof(snp_report) == SNP_REPORT_SIZE);
static_assert(sizeof(nsgx_evidence_core) == 384 + 96 + 96 + SNP_REPORT_SIZE);

Error<Malformed> Fail(std::string_view what) { return Error(Malformed{what}); }

// For TRY: an error without words of its own gets these.
template <typename T>
Result<T, Malformed> Or(Result<T> result, std::string_view what) {
  return std::move(result).transform_error([what](Status) { return Malformed{what}; });
}

Result<Certificate, Malformed> ReadCertificate(ByteReader& reader, std::string_view what) {
  const uint32_t size = TRY(Or(reader.Read<uint32_t>(), "it ends before the certificates do"));
  const std::span<const std::byte> der =
      TRY(Or(reader.ReadBytes(size), "it ends before the certificates do"));
  return Or(Certificate::Parse(der), what);
}

}  // namespace

Result<Evidence, Malformed> ParseEvidence(std::span<const std::byte> file) {
  if (file.size() > NSGX_EVIDENCE_MAX_SIZE) {
    return Fail("it is longer than any evidence");
  }
  ByteReader reader(file);
  const nsgx_evidence_header header =
      TRY(Or(reader.ReadObject<nsgx_evidence_header>(), "it is too short for evidence"));
  if (header.magic != NSGX_EVIDENCE_MAGIC) {
    return Fail("it does not begin as NSGX evidence does");
  }
  if (header.version != NSGX_EVIDENCE_VERSION) {
    return Fail("it is evidence of another version than 1");
  }
  if (header.size != file.size()) {
    return Fail("its size is not the one that it names; it was cut or something was added");
  }
  if (header.certificate_count != kCertificateCount || header.reserved != 0) {
    return Fail("its header asks for what this version does not have");
  }
  const nsgx_evidence_core core =
      TRY(Or(reader.ReadObject<nsgx_evidence_core>(), "it ends before its fixed part does"));
  if (core.body.magic != NSGX_REPORT_MAGIC || core.body.version != NSGX_REPORT_VERSION) {
    return Fail("what is said about the enclave is of an unknown format");
  }
  Statement statement;
  statement.body = core.body;
  std::ranges::copy(View(core.seh_public_key), statement.seh_key.begin());
  std::ranges::copy(View(core.seh_signature), statement.signature.begin());
  snp_report report;
  std::ranges::copy(View(core.snp_report), MutableBytesOf(report).begin());

  Certificate chip = TRY(ReadCertificate(reader, "the chip's certificate is no certificate"));
  Certificate intermediate =
      TRY(ReadCertificate(reader, "the intermediate's certificate is no certificate"));
  Certificate root = TRY(ReadCertificate(reader, "the root's certificate is no certificate"));
  if (!reader.at_end()) {
    return Fail("something follows the certificates");
  }
  return Evidence{statement, report, std::move(chip), std::move(intermediate), std::move(root)};
}

Result<Evidence, Malformed> FromHardwareReport(std::span<const std::byte> report,
                                               std::span<const std::byte> chip_certificate,
                                               std::span<const std::byte> authorities) {
  if (report.size() != SNP_REPORT_SIZE) {
    return Fail("a hardware report has 1184 bytes");
  }
  snp_report parsed_report;
  std::ranges::copy(report, MutableBytesOf(parsed_report).begin());

  constexpr std::string_view kNoChip = "the chip's file does not hold one certificate";
  const std::vector<Bytes> chips = TRY(Or(SplitCertificates(chip_certificate), kNoChip));
  if (chips.size() != 1) {
    return Fail(kNoChip);
  }
  Certificate chip = TRY(Or(Certificate::Parse(chips[0]), kNoChip));
  constexpr std::string_view kNoAuthorities =
      "the authorities' file does not hold an intermediate and a root";
  const std::vector<Bytes> ders = TRY(Or(SplitCertificates(authorities), kNoAuthorities));
  std::optional<Certificate> intermediate;
  std::optional<Certificate> root;
  for (const Bytes& der : ders) {
    Certificate authority = TRY(Or(Certificate::Parse(der), kNoAuthorities));
    if (authority.is_self_issued()) {
      root.emplace(std::move(authority));
    } else if (!intermediate || chip.NamesAsIssuer(authority)) {
      intermediate.emplace(std::move(authority));
    }
  }
  if (!intermediate || !root) {
    return Fail(kNoAuthorities);
  }
  return Evidence{std::nullopt, parsed_report, std::move(chip), std::move(*intermediate),
                  std::move(*root)};
}

}  // namespace nsgx::verify
