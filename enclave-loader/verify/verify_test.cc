// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/verify.h"

#include <cstring>

#include "enclave-loader/verify/check_case.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::verify {
namespace {

const Row& Find(const Verdict& verdict, std::string_view name) {
  for (const Row& row : verdict.rows) {
    if (row.name == name) {
      return row;
    }
  }
  ADD_FAILURE() << "no row " << name;
  return verdict.rows.front();
}

std::vector<Case> GoodCases() {
  const auto version = [](uint32_t number) {
    return [number](EvidenceParts& parts) {
      parts.report.version = number;
      if (number < 3) {
        parts.report.cpuid_family = parts.report.cpuid_model = 0;
      }
    };
  };
  return {
      {"Sim", NSGX_MACHINE_SIM},
      {"Emu", NSGX_MACHINE_EMU},
      {"SehOnEmulatedProcessor", NSGX_MACHINE_SIM,
       [](EvidenceParts& parts) { parts.body.machine = NSGX_MACHINE_SNP; },
       [](Policy& policy) { policy.seh_measurements.clear(); }},
      {"Hardware", NSGX_MACHINE_SNP},
      {"ReportVersion2", NSGX_MACHINE_SNP, version(2)},
      {"ReportVersion5", NSGX_MACHINE_SNP, version(5)},
      {"Vlek", NSGX_MACHINE_SNP, UseVlek},
      {"Turin", NSGX_MACHINE_SNP, UseTurin},
      {"TurinWithWrappedChipId", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         UseTurin(parts);
         parts.chip.amd->wraps_hwid = true;
       }},
      {"WrappedChipId", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.amd->wraps_hwid = true; }},
      // An id that looks like the beginning of a wrapped one.
      {"ChipIdThatLooksWrapped", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         parts.report.chip_id[0] = parts.chip.amd->hwid[0] = 0x04;
         parts.report.chip_id[1] = parts.chip.amd->hwid[1] = 0x40;
       }},
      {"CurrentAheadOfCommitted", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         parts.report.current_tcb[0]++;
         parts.report.current_version[1]++;
       }},
      {"DebugAllowed", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         parts.body.attributes |= NSGX_ATTRIBUTE_DEBUG;
         parts.report.policy |= SNP_POLICY_DEBUG;
       },
       [](Policy& policy) { policy.allow_debug = true; }},
      {"MigrationAllowed", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.policy |= SNP_POLICY_MIGRATION; },
       [](Policy& policy) { policy.allow_migration = true; }},
      {"SecondOfTwoIdentities", NSGX_MACHINE_SNP, [](EvidenceParts&) {},
       [](Policy& policy) { policy.identities.insert(policy.identities.begin(), Other<32>()); }},
      {"MinimumTcbReached", NSGX_MACHINE_SNP, [](EvidenceParts&) {},
       [](Policy& policy) {
         policy.minimum_tcb.boot_loader = 9;
         policy.minimum_tcb.microcode = 0xff;
       }},
      {"GenerationAskedFor", NSGX_MACHINE_SNP, [](EvidenceParts&) {},
       [](Policy& policy) { policy.generations = {Generation::kGenoa}; }},
      {"ProviderAskedFor", NSGX_MACHINE_SNP, UseVlek,
       [](Policy& policy) { policy.csp_ids = {"another", "a-provider"}; }},
  };
}

class GoodEvidenceTest : public VerifyTest {};

TEST_P(GoodEvidenceTest, NoCheckFails) { ExpectExactlyTheRightChecksToFail(); }

INSTANTIATE_TEST_SUITE_P(Case, GoodEvidenceTest, testing::ValuesIn(GoodCases()), NameOf);

TEST(VerdictTest, SimulatedRootAndMachineAreNamed) {
  Policy policy = TestPolicy();
  policy.allow_simulated = false;
  const Verdict verdict = VerifyFile(Assemble(GoodParts(NSGX_MACHINE_SIM)), policy);
  EXPECT_TRUE(verdict.is_simulated);
  EXPECT_EQ(Find(verdict, "root").got, "ARK-SIMULATED (NSGX, no hardware)");
  EXPECT_NE(Find(verdict, "root").note.find("--allow-simulated"), std::string::npos);
  EXPECT_EQ(Find(verdict, "machine").got, "sim");
  EXPECT_FALSE(VerifyFile(Assemble(GoodParts(NSGX_MACHINE_SNP)), policy).is_simulated);
}

TEST(VerdictTest, NothingAskedForIsSkippedWithAReason) {
  Policy policy;
  policy.time = TestPolicy().time;
  policy.allow_simulated = true;
  const Verdict verdict = VerifyFile(Assemble(GoodParts(NSGX_MACHINE_SIM)), policy);
  EXPECT_TRUE(verdict.verified());
  for (std::string_view name :
       {"identity", "signer", "product", "svn", "config-hash", "args-hash", "host-calls-hash",
        "report-data", "seh-measurement", "seh-svn", "min-tcb", "launch-tcb", "alias-check",
        "host-data", "guest-svn", "id-key", "author-key", "csp", "revocation"}) {
    EXPECT_EQ(Find(verdict, name).outcome, Outcome::kSkipped) << name;
    EXPECT_FALSE(Find(verdict, name).note.empty()) << name;
  }
}

TEST(VerdictTest, FailuresSayWhatWasExpectedAndWhatCame) {
  EvidenceParts parts = GoodParts(NSGX_MACHINE_SNP);
  parts.report.vmpl = 2;
  const Verdict verdict = VerifyFile(Assemble(parts), TestPolicy());
  const Row* failure = verdict.FirstFailure();
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->name, "vmpl");
  EXPECT_EQ(failure->expected, "0");
  EXPECT_EQ(failure->got, "2");
  EXPECT_FALSE(failure->note.empty());
}

TEST(HardwareReportTest, VerifiesAloneAndSaysNothingAboutEnclaves) {
  const HardwareFiles files = AssembleHardware(GoodParts(NSGX_MACHINE_SNP));
  const Result<Evidence, Malformed> evidence =
      FromHardwareReport(files.report, files.chip, files.authorities);
  ASSERT_TRUE(evidence.ok());
  Policy policy;
  policy.time = TestPolicy().time;
  policy.more_roots = TestPolicy().more_roots;
  const Verdict verdict = Verify(evidence.value(), policy);
  EXPECT_TRUE(verdict.verified());
  EXPECT_EQ(Find(verdict, "seh-signature").outcome, Outcome::kSkipped);
  EXPECT_EQ(Find(verdict, "machine").outcome, Outcome::kSkipped);

  // Whoever expects an enclave does not get away with a report alone.
  const Verdict strict = Verify(evidence.value(), TestPolicy());
  EXPECT_EQ(Failed(strict), (Names{"identity", "signer", "product", "svn", "config-hash",
                                   "args-hash", "host-calls-hash", "seh-svn", "report-data"}));
}

TEST(HardwareReportTest, ReportDataIsTheReports) {
  EvidenceParts parts = GoodParts(NSGX_MACHINE_SNP);
  parts.binds_seh_key = false;
  std::memset(parts.report.report_data, 0x66, 64);
  const HardwareFiles files = AssembleHardware(parts);
  Policy policy;
  policy.time = TestPolicy().time;
  policy.more_roots = TestPolicy().more_roots;
  policy.report_data.emplace().fill(std::byte{0x66});
  const Result<Evidence, Malformed> evidence =
      FromHardwareReport(files.report, files.chip, files.authorities);
  ASSERT_TRUE(evidence.ok());
  EXPECT_TRUE(Verify(evidence.value(), policy).verified());
}

}  // namespace
}  // namespace nsgx::verify
