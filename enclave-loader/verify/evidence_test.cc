// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/evidence.h"

#include <gtest/gtest.h>

#include <cstring>

#include "enclave-loader/verify/check_case.h"

namespace nsgx::verify {
namespace {

constexpr size_t kHeader = 0;
constexpr size_t kBody = sizeof(nsgx_evidence_header);
constexpr size_t kSehKey = kBody + sizeof(nsgx_report_body);
constexpr size_t kSehSignature = kSehKey + 96;
constexpr size_t kReport = kSehSignature + 96;
constexpr size_t kCertificates = kReport + SNP_REPORT_SIZE;

// "malformed", or the names of the failed checks.
std::string OutcomeOf(const Bytes& file) {
  const Result<Evidence, Malformed> evidence = ParseEvidence(file);
  if (!evidence.ok()) {
    EXPECT_FALSE(evidence.error().what.empty());
    return "malformed";
  }
  std::string out;
  for (std::string_view name : Failed(Verify(evidence.value(), TestPolicy()))) {
    out += (out.empty() ? "" : " ") + std::string(name);
  }
  return out;
}

class EvidenceTest : public testing::Test {
 protected:
  std::string WithFlip(size_t offset) {
    Bytes file = good_;
    file[offset] ^= std::byte{1};
    return OutcomeOf(file);
  }
  void Patch32(Bytes& file, size_t offset, uint32_t value) {
    std::memcpy(file.data() + offset, &value, sizeof(value));
  }
  size_t CertificateAt(size_t index) {
    size_t offset = kCertificates;
    for (size_t i = 0; i < index; ++i) {
      uint32_t size;
      std::memcpy(&size, good_.data() + offset, sizeof(size));
      offset += sizeof(size) + size;
    }
    return offset;
  }

  const Bytes good_ = Assemble(GoodParts(NSGX_MACHINE_SIM));
};

TEST_F(EvidenceTest, GoodAsItStands) { EXPECT_EQ(OutcomeOf(good_), ""); }

TEST_F(EvidenceTest, FlippedByteInEachRegion) {
  EXPECT_EQ(WithFlip(kHeader), "malformed");
  EXPECT_EQ(WithFlip(kHeader + offsetof(nsgx_evidence_header, version)), "malformed");
  EXPECT_EQ(WithFlip(kHeader + offsetof(nsgx_evidence_header, size)), "malformed");
  EXPECT_EQ(WithFlip(kHeader + offsetof(nsgx_evidence_header, certificate_count)), "malformed");
  EXPECT_EQ(WithFlip(kHeader + offsetof(nsgx_evidence_header, reserved)), "malformed");
  EXPECT_EQ(WithFlip(kBody), "malformed");
  EXPECT_EQ(WithFlip(kBody + offsetof(nsgx_report_body, version)), "malformed");
  EXPECT_EQ(WithFlip(kBody + offsetof(nsgx_report_body, identity)), "identity seh-signature");
  EXPECT_EQ(WithFlip(kBody + offsetof(nsgx_report_body, instance)), "seh-signature");
  EXPECT_EQ(WithFlip(kBody + offsetof(nsgx_report_body, seh_svn) + 1), "seh-key seh-signature");
  EXPECT_EQ(WithFlip(kSehKey), "seh-key seh-signature");
  EXPECT_EQ(WithFlip(kSehSignature), "seh-signature");
  EXPECT_EQ(WithFlip(kSehSignature + 95), "seh-signature");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, report_id)), "report-signature");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, report_data)), "report-signature seh-key");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, measurement)),
            "report-signature seh-measurement");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, signature_r)), "report-signature");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, signature_r) + 71), "report-signature");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, signature_s)), "report-signature");
  EXPECT_EQ(WithFlip(kReport + offsetof(snp_report, reserved5)), "report-reserved");
  // The last byte of each certificate is of its signature.
  EXPECT_EQ(WithFlip(CertificateAt(1) - 1), "chip-signature");
  EXPECT_EQ(WithFlip(CertificateAt(2) - 1), "intermediate-signature");
  EXPECT_EQ(WithFlip(good_.size() - 1), "root-signature");
}

// Nothing that is not signed may be left over. A prime step, so that all parts are hit at odd
// places.
TEST_F(EvidenceTest, NoFlipIsAccepted) {
  for (size_t offset = 0; offset < good_.size(); offset += 53) {
    EXPECT_NE(WithFlip(offset), "") << offset;
  }
}

TEST_F(EvidenceTest, CutAnywhereIsMalformed) {
  for (size_t size = 0; size < good_.size(); size += 61) {
    Bytes file(good_.begin(), good_.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(OutcomeOf(file), "malformed") << size;
    if (size >= sizeof(nsgx_evidence_header)) {
      Patch32(file, offsetof(nsgx_evidence_header, size), static_cast<uint32_t>(size));
      EXPECT_EQ(OutcomeOf(file), "malformed") << size;
    }
  }
}

TEST_F(EvidenceTest, BytesBehindTheEndAreMalformed) {
  Bytes file = good_;
  file.push_back(std::byte{0});
  EXPECT_EQ(OutcomeOf(file), "malformed");
  Patch32(file, offsetof(nsgx_evidence_header, size), static_cast<uint32_t>(file.size()));
  EXPECT_EQ(OutcomeOf(file), "malformed");
}

TEST_F(EvidenceTest, CertificateSizesThatDoNotFit) {
  const size_t chip = CertificateAt(0);
  const uint32_t size = static_cast<uint32_t>(CertificateAt(1) - chip - sizeof(uint32_t));
  for (uint32_t wrong : {0u, 1u, size - 1, size + 1, 0x7fffffffu, 0xffffffffu, 0xfffffffcu}) {
    Bytes file = good_;
    Patch32(file, chip, wrong);
    EXPECT_EQ(OutcomeOf(file), "malformed") << wrong;
  }
}

TEST_F(EvidenceTest, TooBigIsMalformed) {
  Bytes file = good_;
  file.resize(NSGX_EVIDENCE_MAX_SIZE + 1);
  Patch32(file, offsetof(nsgx_evidence_header, size), static_cast<uint32_t>(file.size()));
  EXPECT_EQ(OutcomeOf(file), "malformed");
}

TEST_F(EvidenceTest, CertificatesInAnotherOrder) {
  const auto at = [this](size_t offset) { return good_.begin() + static_cast<ptrdiff_t>(offset); };
  Bytes file(at(0), at(kCertificates));
  file.insert(file.end(), at(CertificateAt(0)), at(CertificateAt(1)));
  file.insert(file.end(), at(CertificateAt(2)), good_.end());
  file.insert(file.end(), at(CertificateAt(1)), at(CertificateAt(2)));
  EXPECT_NE(OutcomeOf(file), "");
}

TEST(HardwareFilesTest, MalformedFiles) {
  const HardwareFiles good = AssembleHardware(GoodParts(NSGX_MACHINE_SNP));
  EXPECT_TRUE(FromHardwareReport(good.report, good.chip, good.authorities).ok());
  Bytes report = good.report;
  report.pop_back();
  EXPECT_FALSE(FromHardwareReport(report, good.chip, good.authorities).ok());
  EXPECT_FALSE(FromHardwareReport(good.report, good.authorities, good.authorities).ok());
  EXPECT_FALSE(FromHardwareReport(good.report, good.chip, good.chip).ok());
  EXPECT_FALSE(FromHardwareReport(good.report, {}, good.authorities).ok());
  EXPECT_FALSE(FromHardwareReport(good.report, good.chip, {}).ok());
}

}  // namespace
}  // namespace nsgx::verify
