// SPDX-License-Identifier: Apache-2.0
// Reports and certificates of real processors; tests/vectors/README.md has the table of cases.
#include <gtest/gtest.h>

#include "enclave-loader/verify/check_case.h"
#include "enclave-loader/verify/test_files.h"
#include "enclave-loader/verify/time_text.h"

namespace nsgx::verify {
namespace {

constexpr const char* kGoReport = "milan-go-sev-guest/report.bin";
constexpr const char* kGoVcek = "milan-go-sev-guest/vcek.der";
constexpr const char* kGoAuthorities = "milan-go-sev-guest/ask_ark.pem";
constexpr const char* kTrusteeReport = "milan-trustee/test-report.bin";
constexpr const char* kTrusteeVcek = "milan-trustee/test-vcek.der";
constexpr const char* kMilan = "roots/milan_ask_ark_asvk.pem";

// A day on which every certificate of these was valid.
Policy PolicyOfThatTime() {
  Policy policy;
  policy.time = ParseTime("2026-11-21").value();
  return policy;
}

Result<Evidence, Malformed> Read(const char* report, const char* chip, const char* authorities) {
  return FromHardwareReport(ReadTestFile(report), ReadTestFile(chip), ReadTestFile(authorities));
}

std::string Got(const Verdict& verdict, std::string_view name) {
  for (const Row& row : verdict.rows) {
    if (row.name == name) {
      return row.got;
    }
  }
  return "no such row";
}

TEST(VectorsTest, Case1DebugGuest) {
  const Result<Evidence, Malformed> evidence = Read(kGoReport, kGoVcek, kGoAuthorities);
  ASSERT_TRUE(evidence.ok());
  Policy policy = PolicyOfThatTime();
  const Verdict verdict = Verify(evidence.value(), policy);
  EXPECT_EQ(Failed(verdict), Names{"guest-debug"});
  EXPECT_EQ(Got(verdict, "report-version"), "2");
  EXPECT_EQ(Got(verdict, "tcb"), "boot loader 2, TEE 0, SNP 5, microcode 68");
  EXPECT_EQ(Got(verdict, "guest-svn"), "0");
  EXPECT_EQ(Got(verdict, "root"), "ARK-Milan");
  policy.allow_debug = true;
  EXPECT_TRUE(Verify(evidence.value(), policy).verified());
}

TEST(VectorsTest, Case2Good) {
  const Result<Evidence, Malformed> evidence = Read(kTrusteeReport, kTrusteeVcek, kMilan);
  ASSERT_TRUE(evidence.ok());
  const Verdict verdict = Verify(evidence.value(), PolicyOfThatTime());
  EXPECT_TRUE(verdict.verified()) << verdict.FirstFailure()->name;
  EXPECT_EQ(Got(verdict, "tcb"), "boot loader 3, TEE 0, SNP 8, microcode 115");
  EXPECT_EQ(Got(verdict, "tcb-order"),
            "boot loader 3, TEE 0, SNP 8, microcode 115 / "
            "boot loader 3, TEE 0, SNP 8, microcode 115 / "
            "boot loader 3, TEE 0, SNP 8, microcode 206");
  EXPECT_EQ(Got(verdict, "guest-svn"), "4");
}

TEST(VectorsTest, Case2BeforeAndAfterTheCertificate) {
  const Result<Evidence, Malformed> evidence = Read(kTrusteeReport, kTrusteeVcek, kMilan);
  ASSERT_TRUE(evidence.ok());
  for (const char* time : {"2023-01-23", "2030-01-26"}) {
    Policy policy = PolicyOfThatTime();
    policy.time = ParseTime(time).value();
    EXPECT_EQ(Failed(Verify(evidence.value(), policy)), Names{"chip-validity"}) << time;
  }
}

TEST(VectorsTest, Case2UnderFloors) {
  const Result<Evidence, Malformed> evidence = Read(kTrusteeReport, kTrusteeVcek, kMilan);
  ASSERT_TRUE(evidence.ok());
  Policy policy = PolicyOfThatTime();
  policy.minimum_tcb.microcode = 116;
  EXPECT_EQ(Failed(Verify(evidence.value(), policy)), (Names{"min-tcb", "launch-tcb"}));
  policy = PolicyOfThatTime();
  policy.require_alias_check = true;
  EXPECT_EQ(Failed(Verify(evidence.value(), policy)), Names{"alias-check"});
  policy = PolicyOfThatTime();
  policy.generations = {Generation::kGenoa, Generation::kTurin};
  EXPECT_EQ(Failed(Verify(evidence.value(), policy)), Names{"generation"});
}

class BrokenVcekTest : public testing::TestWithParam<const char*> {};

TEST_P(BrokenVcekTest, Case3And4NeitherItNorTheReportHolds) {
  const Result<Evidence, Malformed> evidence = Read(kTrusteeReport, GetParam(), kMilan);
  ASSERT_TRUE(evidence.ok());
  const Names failed = Failed(Verify(evidence.value(), PolicyOfThatTime()));
  EXPECT_TRUE(failed.contains("chip-signature"));
  EXPECT_TRUE(failed.contains("report-signature"));
  EXPECT_FALSE(failed.contains("root"));
  EXPECT_FALSE(failed.contains("root-signature"));
  EXPECT_FALSE(failed.contains("intermediate-signature"));
}

INSTANTIATE_TEST_SUITE_P(Files, BrokenVcekTest,
                         testing::Values("milan-trustee/test-vcek-invalid-legacy.der",
                                         "milan-trustee/test-vcek-invalid-new.der"));

TEST(VectorsTest, Case5CertificateOfAnotherChip) {
  const Result<Evidence, Malformed> evidence = Read(kGoReport, kTrusteeVcek, kMilan);
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(Failed(Verify(evidence.value(), PolicyOfThatTime())),
            (Names{"report-signature", "chip-id", "tcb", "guest-debug"}));
}

TEST(VectorsTest, AuthoritiesOfAnotherGeneration) {
  const Result<Evidence, Malformed> evidence =
      Read(kTrusteeReport, kTrusteeVcek, "roots/genoa_ask_ark_asvk.pem");
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(Failed(Verify(evidence.value(), PolicyOfThatTime())),
            (Names{"chip-signature", "generation"}));
}

// A real processor's report proves nothing about an enclave.
TEST(VectorsTest, NoIdentityInIt) {
  const Result<Evidence, Malformed> evidence = Read(kTrusteeReport, kTrusteeVcek, kMilan);
  ASSERT_TRUE(evidence.ok());
  Policy policy = PolicyOfThatTime();
  policy.identities = {Other<32>()};
  EXPECT_EQ(Failed(Verify(evidence.value(), policy)), Names{"identity"});
}

}  // namespace
}  // namespace nsgx::verify
