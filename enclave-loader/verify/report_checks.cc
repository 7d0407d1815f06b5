// SPDX-License-Identifier: Apache-2.0
// The hardware's report: genuine, of this chip, and of a platform and guest that are acceptable.
#include "base/core/bytes.h"
#include "enclave-loader/verify/checks.h"
#include "enclave-loader/verify/roots.h"
#include "enclave-loader/verify/signature.h"
#include "vmpl-switch/abi/boot.h"

namespace nsgx::verify {

namespace {

Generation GenerationOf(const Evidence& evidence) {
  return GenerationOfProduct(evidence.chip.amd().product_name);
}

std::string TcbText(const uint8_t (&tcb)[8], const Evidence& evidence) {
  return TcbText(DecodeTcb(ToTcbBytes(tcb), GenerationOf(evidence)));
}

bool IsZero(std::span<const uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

Finding CheckVersion(const Evidence& evidence, const Policy&) {
  const uint32_t version = evidence.report.version;
  return Require(version == 2 || version == 3 || version == 5, "2, 3 or 5", std::to_string(version),
                 "the meaning of another version's fields is not known");
}

Finding CheckAlgorithm(const Evidence& evidence, const Policy&) {
  const uint32_t algorithm = evidence.report.signature_algorithm;
  return Require(algorithm == SNP_SIGNATURE_ECDSA_P384_SHA384, "1 (ECDSA P-384 with SHA-384)",
                 std::to_string(algorithm));
}

Finding CheckSignature(const Evidence& evidence, const Policy&) {
  const std::string expected = "a signature by " + evidence.chip.Name();
  const std::optional<EcdsaP384PublicKey::Raw> key = evidence.chip.EcKey();
  if (!key) {
    return Require(false, expected, "a certificate without a P-384 key");
  }
  const snp_report& report = evidence.report;
  EcdsaP384Signature signature;
  if (!FromReportForm(report.signature_r, report.signature_s, signature)) {
    return Require(false, expected, "numbers of more than 384 bits");
  }
  const bool holds =
      P384SignatureHolds(*key, BytesOf(report).first(SNP_REPORT_SIGNED_SIZE), signature);
  return Require(holds, expected, holds ? "holds" : "does not hold",
                 "the report was changed or made by another chip, or the certificate is for other "
                 "security versions");
}

// A VLEK binds no chip, so a certificate of one kind must never pass for the other: report,
// certificate and authority agree.
Finding CheckSigningKey(const Evidence& evidence, const Policy&) {
  const uint32_t info = evidence.report.key_info;
  const uint32_t claimed = SNP_KEY_INFO_SIGNING_KEY(info);
  const std::string got =
      (claimed == SNP_SIGNING_KEY_VCEK   ? std::string("VCEK")
       : claimed == SNP_SIGNING_KEY_VLEK ? std::string("VLEK")
                                         : "key number " + std::to_string(claimed)) +
      " in the report, certificate of " + evidence.chip.Name() + " by " +
      evidence.intermediate.Name();
  const bool is_vlek = claimed == SNP_SIGNING_KEY_VLEK;
  const std::string expected = is_vlek ? "a VLEK without chip id, by an authority for VLEKs"
                                       : "a VCEK with chip id, by an authority for VCEKs";
  const AmdExtensions& amd = evidence.chip.amd();
  const bool holds = (claimed == SNP_SIGNING_KEY_VCEK || is_vlek) &&
                     (info & SNP_KEY_INFO_CHIP_MASKED) == 0 &&
                     ChipKeyOf(evidence.chip) == (is_vlek ? ChipKey::kVlek : ChipKey::kVcek) &&
                     evidence.intermediate.Name().starts_with("SEV-VLEK") == is_vlek &&
                     amd.hwid.empty() == is_vlek && amd.csp_id.empty() != is_vlek;
  return Require(holds, expected, got);
}

Finding CheckReserved(const Evidence& evidence, const Policy&) {
  const snp_report& report = evidence.report;
  const std::string where =
      (report.key_info & SNP_KEY_INFO_RESERVED) != 0 || report.reserved0 != 0 ? "0x048"
      : report.version < 3 &&
              (report.cpuid_family != 0 || report.cpuid_model != 0 || report.cpuid_stepping != 0)
          ? "0x188"
      : !IsZero(report.reserved1) ? "0x18b"
      : report.reserved2 != 0     ? "0x1eb"
      : report.reserved3 != 0     ? "0x1ef"
      : report.version < 5 && (report.launch_mitigations != 0 || report.current_mitigations != 0)
          ? "0x1f8"
      : !IsZero(report.reserved4) ? "0x208"
      : !IsZero(report.reserved5) ? "0x330"
                                  : "";
  return Require(where.empty(), "zeros", where.empty() ? "zeros" : "something at " + where,
                 "a newer format would be read wrongly");
}

Finding CheckTcb(const Evidence& evidence, const Policy&) {
  const std::string got = TcbText(evidence.report.reported_tcb, evidence);
  const std::optional<TcbBytes> certified = evidence.chip.amd().Tcb(GenerationOf(evidence));
  if (!certified) {
    return Require(false, got, "none in the certificate");
  }
  return Require(*certified == ToTcbBytes(evidence.report.reported_tcb),
                 TcbText(DecodeTcb(*certified, GenerationOf(evidence))) + " (certificate)", got,
                 "the certificate is for other security versions");
}

Finding CheckChipId(const Evidence& evidence, const Policy&) {
  const snp_report& report = evidence.report;
  const std::string got = Hex(View(report.chip_id));
  if (ChipKeyOf(evidence.chip) == ChipKey::kVlek) {
    return Skip("a VLEK belongs to a provider, not to one chip", got);
  }
  const Bytes& hwid = evidence.chip.amd().hwid;
  const bool size_fits = hwid.size() == sizeof(report.chip_id) ||
                         (hwid.size() == 8 && GenerationOf(evidence) == Generation::kTurin);
  const bool holds = size_fits &&
                     std::ranges::equal(hwid, View(report.chip_id).first(hwid.size())) &&
                     IsZero(std::span(report.chip_id).subspan(hwid.size()));
  return Require(holds, hwid.empty() ? "none in the certificate" : Hex(hwid) + " (certificate)",
                 got, "the certificate is another chip's");
}

Finding CheckTcbOrder(const Evidence& evidence, const Policy&) {
  const snp_report& report = evidence.report;
  const bool holds = IsAtMost(ToTcbBytes(report.reported_tcb), ToTcbBytes(report.committed_tcb)) &&
                     IsAtMost(ToTcbBytes(report.committed_tcb), ToTcbBytes(report.current_tcb));
  return Require(holds, "reported <= committed <= current",
                 TcbText(report.reported_tcb, evidence) + " / " +
                     TcbText(report.committed_tcb, evidence) + " / " +
                     TcbText(report.current_tcb, evidence),
                 "the platform could go back to older firmware than it reports");
}

Finding CheckFirmwareOrder(const Evidence& evidence, const Policy&) {
  // Build, minor, major.
  const auto number = [](const uint8_t(&version)[3]) {
    return version[2] << 16 | version[1] << 8 | version[0];
  };
  const auto text = [](const uint8_t(&version)[3]) {
    return std::to_string(version[2]) + "." + std::to_string(version[1]) + " build " +
           std::to_string(version[0]);
  };
  const snp_report& report = evidence.report;
  return Require(number(report.committed_version) <= number(report.current_version),
                 "committed <= current",
                 text(report.committed_version) + " / " + text(report.current_version));
}

Finding RequireTcb(const uint8_t (&tcb)[8], const Evidence& evidence, const Policy& policy) {
  const std::string got = TcbText(tcb, evidence);
  if (policy.minimum_tcb.is_empty()) {
    return Skip("no minimum was given (--min-tcb)", got);
  }
  return Require(
      ReachesMinimum(DecodeTcb(ToTcbBytes(tcb), GenerationOf(evidence)), policy.minimum_tcb),
      "at least " + TcbText(policy.minimum_tcb), got, "known holes may be open in this firmware");
}

Finding CheckMinimumTcb(const Evidence& evidence, const Policy& policy) {
  return RequireTcb(evidence.report.reported_tcb, evidence, policy);
}

Finding CheckLaunchTcb(const Evidence& evidence, const Policy& policy) {
  return RequireTcb(evidence.report.launch_tcb, evidence, policy);
}

Finding CheckVmpl(const Evidence& evidence, const Policy&) {
  const uint32_t vmpl = evidence.report.vmpl;
  return Require(vmpl == 0, "0", vmpl == ~0u ? "none, the host asked" : std::to_string(vmpl),
                 "what runs above VMPL0, such as the guest's kernel, can ask for reports too");
}

Finding CheckGuestPolicy(const Evidence& evidence, const Policy&) {
  const std::byte policy_bytes[] = {static_cast<std::byte>(evidence.report.policy >> 16)};
  return Require((evidence.report.policy & SNP_POLICY_MUST_BE_ONE) != 0, "bit 17 set",
                 "bits 16..23: 0x" + Hex(policy_bytes));
}

Finding CheckGuestDebug(const Evidence& evidence, const Policy& policy) {
  const bool can_debug = (evidence.report.policy & SNP_POLICY_DEBUG) != 0;
  return Require(!can_debug || policy.allow_debug,
                 policy.allow_debug ? "not allowed, or allowed by --allow-debug" : "not allowed",
                 can_debug ? "allowed" : "not allowed",
                 "the host can read and change the memory of the guest");
}

Finding CheckGuestMigration(const Evidence& evidence, const Policy& policy) {
  const bool can_migrate = (evidence.report.policy & SNP_POLICY_MIGRATION) != 0;
  return Require(
      !can_migrate || policy.allow_migration,
      policy.allow_migration ? "not allowed, or allowed by --allow-migration" : "not allowed",
      can_migrate ? "allowed" : "not allowed",
      "whoever is the migration agent can read the memory of the guest");
}

Finding CheckAlias(const Evidence& evidence, const Policy& policy) {
  const bool done = (evidence.report.platform_info & SNP_PLATFORM_ALIAS_CHECK) != 0;
  const std::string got = done ? "done" : "not done";
  if (!policy.require_alias_check) {
    return Skip("not asked for (--require-alias-check)", got);
  }
  return Require(done, "done", got, "memory modules may lie about their size (BadRAM)");
}

Finding CheckMeasurement(const Evidence& evidence, const Policy& policy) {
  const std::span<const std::byte, 48> got = View(evidence.report.measurement);
  // Under a simulated root anybody could make evidence of any measurement.
  const Root* root = FindRoot(evidence.root.PublicKeyHash());
  const bool is_optional = !evidence.statement ||
                           evidence.statement->body.machine != NSGX_MACHINE_SNP ||
                           (root != nullptr && root->is_simulated);
  if (policy.seh_measurements.empty() && !is_optional) {
    return Require(false, "a given measurement (--seh-measurement)", Hex(got),
                   "without it, anybody's software at VMPL0 could have made this evidence");
  }
  return RequireOneOf<48>(policy.seh_measurements, got,
                          "no measurement was given (--seh-measurement)");
}

Finding CheckHostData(const Evidence& evidence, const Policy& policy) {
  return RequireOneOf<32>(policy.host_data, View(evidence.report.host_data),
                          "none was given (--host-data)");
}

Finding CheckGuestSvn(const Evidence& evidence, const Policy& policy) {
  return RequireAtLeast<uint32_t>(policy.minimum_guest_svn, evidence.report.guest_svn,
                                  "no minimum was given (--min-guest-svn)");
}

Finding CheckIdKey(const Evidence& evidence, const Policy& policy) {
  return RequireOneOf<48>(policy.id_key_digests, View(evidence.report.id_key_digest),
                          "none was given (--id-key)");
}

Finding CheckAuthorKey(const Evidence& evidence, const Policy& policy) {
  std::optional<std::span<const std::byte, 48>> digest;
  if ((evidence.report.key_info & SNP_KEY_INFO_AUTHOR_KEY) != 0) {
    digest.emplace(View(evidence.report.author_key_digest));
  }
  return RequireOneOf<48>(policy.author_key_digests, digest, "none was given (--author-key)");
}

constexpr Check kChecks[] = {
    {"report-version", "the report's format is known", CheckVersion},
    {"report-algorithm", "the report claims the one signature algorithm", CheckAlgorithm},
    {"report-signature", "the chip's key signed the report", CheckSignature},
    {"signing-key", "the report and the certificates agree on the kind of key", CheckSigningKey},
    {"report-reserved", "reserved fields of the report are zero", CheckReserved},
    {"tcb", "the certificate is for the security versions that the report names", CheckTcb},
    {"chip-id", "the certificate is for the chip that the report names", CheckChipId},
    {"tcb-order", "the platform cannot fall behind what it reports", CheckTcbOrder},
    {"firmware-order", "the firmware is not older than what is committed", CheckFirmwareOrder},
    {"min-tcb", "the platform's security versions are high enough", CheckMinimumTcb},
    {"launch-tcb", "they were so when the guest was launched", CheckLaunchTcb},
    {"vmpl", "software at VMPL0 asked for the report", CheckVmpl},
    {"guest-policy", "the guest's policy has its fixed bit", CheckGuestPolicy},
    {"guest-debug", "the host cannot debug the guest", CheckGuestDebug},
    {"guest-migration", "the guest cannot be moved by an agent", CheckGuestMigration},
    {"alias-check", "the firmware has looked for memory aliases", CheckAlias},
    {"seh-measurement", "an accepted SEH runs at VMPL0", CheckMeasurement},
    {"host-data", "the host launched the guest with the expected data", CheckHostData},
    {"guest-svn", "the guest's security version is high enough", CheckGuestSvn},
    {"id-key", "an accepted key signed the guest's identity block", CheckIdKey},
    {"author-key", "an accepted author certified that key", CheckAuthorKey},
};

}  // namespace

std::span<const Check> ReportChecks() { return kChecks; }

}  // namespace nsgx::verify
