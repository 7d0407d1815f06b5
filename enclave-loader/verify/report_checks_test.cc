// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "enclave-loader/verify/check_case.h"

namespace nsgx::verify {
namespace {

std::vector<Case> ReportCases() {
  const auto vmpl = [](uint32_t number) {
    return [number](EvidenceParts& parts) { parts.report.vmpl = number; };
  };
  const auto nothing = [](Policy&) {};
  return {
      {"UnknownReportVersion", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.version = 4; }, nothing, {"report-version"}},
      {"UnknownAlgorithm", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.signature_algorithm = 2; }, nothing,
       {"report-algorithm"}},
      {"ReportSignedByAnotherChip", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.signs_report = "NSGX test other chip"; }, nothing,
       {"report-signature"}},
      {"VlekReportWithVcek", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.key_info |= SNP_SIGNING_KEY_VLEK << 2; }, nothing,
       {"signing-key"}},
      {"VcekReportWithVlek", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         UseVlek(parts);
         parts.report.key_info &= ~(SNP_SIGNING_KEY_VLEK << 2);
       },
       nothing, {"signing-key"}},
      {"VlekByAuthorityForVceks", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         const EvidenceParts vcek = parts;
         UseVlek(parts);
         parts.intermediate = vcek.intermediate;
         parts.chip.issuer = vcek.chip.issuer;
         parts.intermediate_key = vcek.intermediate_key;
         parts.signs_chip = vcek.signs_chip;
       },
       nothing, {"signing-key"}},
      {"VcekWithoutChipId", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.amd->hwid.clear(); }, nothing,
       {"signing-key", "chip-id"}},
      {"NoSigningKey", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.key_info |= SNP_SIGNING_KEY_NONE << 2; }, nothing,
       {"signing-key"}},
      {"MaskedChip", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.key_info |= SNP_KEY_INFO_CHIP_MASKED; }, nothing,
       {"signing-key"}},
      {"ReservedKeyInfo", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.key_info |= 0x80; }, nothing, {"report-reserved"}},
      {"ReservedBytes", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.reserved1[0] = 1; }, nothing, {"report-reserved"}},
      {"ReservedBytesAtTheEnd", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.reserved5[367] = 1; }, nothing,
       {"report-reserved"}},
      {"CpuidInVersion2", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.version = 2; }, nothing, {"report-reserved"}},
      {"MitigationsInVersion3", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.current_mitigations = 1; }, nothing,
       {"report-reserved"}},
      {"CertificateForAnotherTcb", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.amd->tcb[7]--; }, nothing, {"tcb"}},
      {"TurinCertificateForAnotherTcb", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         UseTurin(parts);
         parts.chip.amd->tcb[0]--;
       },
       nothing, {"tcb"}},
      {"TurinWithoutFmc", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         UseTurin(parts);
         parts.chip.amd->is_turin_layout = false;
       },
       nothing, {"tcb"}},
      {"AnotherChip", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.amd->hwid[63] ^= 1; }, nothing, {"chip-id"}},
      {"ShortChipIdBeforeTurin", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.amd->hwid.resize(8); }, nothing, {"chip-id"}},
      {"TurinChipIdWithMoreBytes", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         UseTurin(parts);
         parts.report.chip_id[8] = 1;
       },
       nothing, {"chip-id"}},
      {"CommittedAheadOfCurrent", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.committed_tcb[0]++; }, nothing, {"tcb-order"}},
      {"ReportedAheadOfCommitted", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.committed_tcb[7]--; }, nothing, {"tcb-order"}},
      {"CommittedFirmwareAheadOfCurrent", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.committed_version[2] = 1; }, nothing,
       {"firmware-order"}},
      {"TcbBelowMinimum", NSGX_MACHINE_SNP, [](EvidenceParts&) {},
       [](Policy& policy) { policy.minimum_tcb.boot_loader = 10; }, {"min-tcb", "launch-tcb"}},
      {"LaunchedBelowMinimum", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.launch_tcb[0]--; },
       [](Policy& policy) { policy.minimum_tcb.boot_loader = 9; }, {"launch-tcb"}},
      {"MinimumAsksForWhatOnlyTurinHas", NSGX_MACHINE_SNP, [](EvidenceParts&) {},
       [](Policy& policy) { policy.minimum_tcb.fmc = 0; }, {"min-tcb", "launch-tcb"}},
      {"Vmpl1", NSGX_MACHINE_SNP, vmpl(1), nothing, {"vmpl"}},
      {"Vmpl2", NSGX_MACHINE_SNP, vmpl(2), nothing, {"vmpl"}},
      {"Vmpl3", NSGX_MACHINE_SNP, vmpl(3), nothing, {"vmpl"}},
      {"AskedByTheHost", NSGX_MACHINE_SNP, vmpl(~0u), nothing, {"vmpl"}},
      {"GuestPolicyWithoutItsBit", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.policy = SNP_POLICY_SMT; }, nothing,
       {"guest-policy"}},
      {"GuestCanBeDebugged", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.policy |= SNP_POLICY_DEBUG; }, nothing,
       {"guest-debug"}},
      {"GuestCanMigrate", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.policy |= SNP_POLICY_MIGRATION; }, nothing,
       {"guest-migration"}},
      {"NoAliasCheck", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.platform_info = SNP_PLATFORM_SMT; }, nothing,
       {"alias-check"}},
      {"AnotherSeh", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.measurement[0] ^= 1; }, nothing,
       {"seh-measurement"}},
      {"NoSehAskedForOnHardware", NSGX_MACHINE_SNP, [](EvidenceParts&) {},
       [](Policy& policy) { policy.seh_measurements.clear(); }, {"seh-measurement"}},
      {"AnotherHostData", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.host_data[31] ^= 1; }, nothing, {"host-data"}},
      {"OldGuest", NSGX_MACHINE_SNP, [](EvidenceParts& parts) { parts.report.guest_svn = 3; },
       nothing, {"guest-svn"}},
      {"AnotherIdKey", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.id_key_digest[0] ^= 1; }, nothing, {"id-key"}},
      {"AnotherAuthorKey", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.author_key_digest[0] ^= 1; }, nothing,
       {"author-key"}},
      {"AuthorKeyNotUsed", NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.key_info &= ~SNP_KEY_INFO_AUTHOR_KEY; }, nothing,
       {"author-key"}},
  };
}

class ReportChecksTest : public VerifyTest {};

TEST_P(ReportChecksTest, ExactlyTheRightChecksFail) { ExpectExactlyTheRightChecksToFail(); }

INSTANTIATE_TEST_SUITE_P(Case, ReportChecksTest, testing::ValuesIn(ReportCases()), NameOf);

}  // namespace
}  // namespace nsgx::verify
