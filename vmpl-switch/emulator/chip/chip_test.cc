// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/chip.h"

#include <gtest/gtest.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/core/bytes.h"
#include "base/crypto/ecdsa_p384.h"
#include "base/crypto/sha512.h"
#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/emulator/chip/sim_chain.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"

namespace nsgx::chip {
namespace {

std::vector<der::Der> SplitChain() {
  std::vector<der::Der> out;
  ByteReader reader(CertificateChain());
  while (!reader.at_end()) {
    const uint32_t size = reader.Read<uint32_t>().value();
    const std::span<const std::byte> bytes = reader.ReadBytes(size).value();
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    out.emplace_back(data, data + bytes.size());
  }
  return out;
}

snp_report Report(const ReportFields& fields, std::byte fill) {
  std::array<std::byte, 64> data;
  data.fill(fill);
  snp_report report;
  EXPECT_TRUE(MakeReport(fields, data, MutableBytesOf(report).first<kReportSize>()).ok());
  return report;
}

bool SignatureHolds(const snp_report& report, const der::Der& vcek_der) {
  mbedtls_x509_crt vcek;
  mbedtls_x509_crt_init(&vcek);
  EXPECT_EQ(mbedtls_x509_crt_parse_der(&vcek, vcek_der.data(), vcek_der.size()), 0);
  const Result<EcdsaP384PublicKey> key =
      EcdsaP384PublicKey::FromDer(std::as_bytes(std::span(vcek.pk_raw.p, vcek.pk_raw.len)));
  mbedtls_x509_crt_free(&vcek);
  EXPECT_TRUE(key.ok());
  EcdsaP384Signature signature;
  for (size_t i = 0; i < kP384ScalarSize; ++i) {
    signature[i] = std::byte{report.signature_r[kP384ScalarSize - 1 - i]};
    signature[kP384ScalarSize + i] = std::byte{report.signature_s[kP384ScalarSize - 1 - i]};
  }
  return key.value().Verify(Sha384::Hash(BytesOf(report).first(0x2a0)), signature).ok();
}

TEST(ChipTest, CommittedCertificatesAreTheOnesThatMakeChipMakes) {
  const std::vector<der::Der> chain = SplitChain();
  ASSERT_EQ(chain.size(), 3u);
  const SimChain made = MakeSimChain();
  EXPECT_EQ(chain[0], made.vcek);
  EXPECT_EQ(chain[1], made.ask);
  EXPECT_EQ(chain[2], made.ark);
}

TEST(ChipTest, EveryCertificateSaysThatItIsSimulated) {
  for (const der::Der& certificate : SplitChain()) {
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    ASSERT_EQ(mbedtls_x509_crt_parse_der(&parsed, certificate.data(), certificate.size()), 0);
    char name[256];
    ASSERT_GT(mbedtls_x509_dn_gets(name, sizeof(name), &parsed.subject), 0);
    EXPECT_NE(std::string_view(name).find("SIMULATED"), std::string_view::npos) << name;
    EXPECT_NE(std::string_view(name).find("Simulation (not AMD)"), std::string_view::npos) << name;
    mbedtls_x509_crt_free(&parsed);
  }
}

TEST(ChipTest, ReportIsSignedByTheVcekOfTheChain) {
  ReportFields fields;
  fields.measurement.fill(std::byte{0x4d});
  snp_report report = Report(fields, std::byte{1});
  const der::Der vcek = SplitChain()[0];
  EXPECT_TRUE(SignatureHolds(report, vcek));
  report.report_data[63] ^= 1;
  EXPECT_FALSE(SignatureHolds(report, vcek));
}

TEST(ChipTest, ReportHoldsWhatWasAskedFor) {
  ReportFields fields;
  fields.measurement.fill(std::byte{0x11});
  fields.vmpl = 2;
  fields.guest_svn = 7;
  fields.policy = SNP_POLICY_MUST_BE_ONE | SNP_POLICY_DEBUG;
  fields.family_id.fill(std::byte{0x21});
  fields.image_id.fill(std::byte{0x22});
  fields.host_data.fill(std::byte{0x23});
  fields.id_key_digest.fill(std::byte{0x24});
  fields.author_key_digest.fill(std::byte{0x25});
  fields.report_id.fill(std::byte{0x26});
  const snp_report report = Report(fields, std::byte{0x5c});

  const auto all = [](const auto& bytes, uint8_t value) {
    return std::all_of(std::begin(bytes), std::end(bytes),
                       [value](uint8_t b) { return b == value; });
  };
  EXPECT_EQ(report.version, 3u);
  EXPECT_EQ(report.vmpl, 2u);
  EXPECT_EQ(report.guest_svn, 7u);
  EXPECT_EQ(report.policy, SNP_POLICY_MUST_BE_ONE | SNP_POLICY_DEBUG);
  EXPECT_EQ(report.signature_algorithm, 1u);
  EXPECT_TRUE(all(report.measurement, 0x11));
  EXPECT_TRUE(all(report.family_id, 0x21));
  EXPECT_TRUE(all(report.image_id, 0x22));
  EXPECT_TRUE(all(report.host_data, 0x23));
  EXPECT_TRUE(all(report.id_key_digest, 0x24));
  EXPECT_TRUE(all(report.author_key_digest, 0x25));
  EXPECT_TRUE(all(report.report_id, 0x26));
  EXPECT_TRUE(all(report.report_data, 0x5c));
  EXPECT_TRUE(all(report.reserved1, 0));
  EXPECT_TRUE(all(report.reserved4, 0));
  EXPECT_TRUE(all(report.reserved5, 0));
  EXPECT_EQ(std::memcmp(report.reported_tcb, kSimTcb, 8), 0);
  EXPECT_EQ(std::memcmp(report.chip_id, kSimChipId.data(), 64), 0);
  EXPECT_TRUE(all(std::span(report.signature_r).subspan(48), 0));
  EXPECT_TRUE(all(std::span(report.signature_s).subspan(48), 0));
}

TEST(ChipTest, EqualRequestsGiveEqualReports) {
  const snp_report one = Report({}, std::byte{1});
  const snp_report again = Report({}, std::byte{1});
  const snp_report other = Report({}, std::byte{2});
  EXPECT_EQ(std::memcmp(&one, &again, sizeof(one)), 0);
  EXPECT_NE(std::memcmp(one.signature_r, other.signature_r, sizeof(one.signature_r)), 0);
}

TEST(SimKeysTest, RecipesGiveGoodKeys) {
  for (const RsaRecipe& recipe : {kSimArkKey, kSimAskKey}) {
    EXPECT_TRUE(RsaKey(recipe).IsValid()) << recipe.label;
  }
}

}  // namespace
}  // namespace nsgx::chip
