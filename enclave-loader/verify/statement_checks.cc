// SPDX-License-Identifier: Apache-2.0
// What the SEH says about the enclave: said by the SEH that the hardware's report speaks of, and of
// an acceptable enclave.
#include <array>

#include "base/core/bytes.h"
#include "base/crypto/sha512.h"
#include "enclave-loader/sign/development_key.h"
#include "enclave-loader/verify/checks.h"
#include "enclave-loader/verify/roots.h"
#include "enclave-loader/verify/signature.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::verify {

namespace {

constexpr std::string_view kNoStatement = "a hardware report alone says nothing about enclaves";

// A field of the body, if there is a body.
template <size_t size>
std::optional<std::span<const std::byte, size>> Field(
    const Evidence& evidence, const uint8_t (nsgx_report_body::*field)[size]) {
  if (!evidence.statement) {
    return std::nullopt;
  }
  return View(evidence.statement->body.*field);
}
template <typename T>
std::optional<T> Number(const Evidence& evidence, T nsgx_report_body::* field) {
  if (!evidence.statement) {
    return std::nullopt;
  }
  return evidence.statement->body.*field;
}

std::string MachineName(uint32_t machine) {
  switch (machine) {
    case NSGX_MACHINE_SIM:
      return "sim";
    case NSGX_MACHINE_EMU:
      return "emu";
    case NSGX_MACHINE_SNP:
      return "snp";
    default:
      return "number " + std::to_string(machine);
  }
}

Finding CheckMachine(const Evidence& evidence, const Policy& policy) {
  if (!evidence.statement) {
    return Skip(std::string(kNoStatement));
  }
  const uint32_t machine = evidence.statement->body.machine;
  const Root* root = FindRoot(evidence.root.PublicKeyHash());
  const bool root_is_simulated = root != nullptr && root->is_simulated;
  const std::string got = MachineName(machine);
  if (machine != NSGX_MACHINE_SIM && machine != NSGX_MACHINE_EMU && machine != NSGX_MACHINE_SNP) {
    return Require(false, "sim, emu or snp", got);
  }
  if (!root_is_simulated) {
    return Require(machine == NSGX_MACHINE_SNP, "snp under a root of hardware", got,
                   "a machine without hardware has a SIMULATED root");
  }
  // An SEH on an emulated processor cannot know that, and says snp. The root knows.
  return Require(policy.allow_simulated, policy.allow_simulated ? "sim, emu or snp" : "snp", got,
                 "machine " + got +
                     " under a SIMULATED root has no hardware that protects the enclave; "
                     "--allow-simulated accepts it for tests");
}

// snp_report.report_data = SHA-512("NSGX SEH key v1" || SEH's public key || its version):
// vmpl-switch/abi/report.h.
Finding CheckSehKey(const Evidence& evidence, const Policy&) {
  if (!evidence.statement) {
    return Skip(std::string(kNoStatement));
  }
  constexpr std::string_view kLabel = "NSGX SEH key v1";
  constexpr size_t kKeySize = EcdsaP384PublicKey::kRawSize;
  const uint32_t svn = evidence.statement->body.seh_svn;
  std::array<std::byte, kLabel.size() + kKeySize + sizeof(svn)> message;
  ByteWriter writer(message);
  CHECK(writer.WriteBytes(BytesOf(kLabel)).ok() &&
        writer.WriteBytes(evidence.statement->seh_key).ok() && writer.Write(svn).ok());
  const Sha512Digest expected = Sha512::Hash(message);
  const std::span<const std::byte, 64> got = View(evidence.report.report_data);
  return Require(std::ranges::equal(expected, got), Hex(expected), Hex(got),
                 "the hardware vouches for another key or version of the SEH");
}

Finding CheckSehSignature(const Evidence& evidence, const Policy&) {
  if (!evidence.statement) {
    return Skip(std::string(kNoStatement));
  }
  const Statement& statement = *evidence.statement;
  const bool holds =
      P384SignatureHolds(statement.seh_key, BytesOf(statement.body), statement.signature);
  return Require(holds, "a signature by the SEH's key", holds ? "holds" : "does not hold",
                 "what is said about the enclave was changed, or another SEH said it");
}

Finding CheckStatementReserved(const Evidence& evidence, const Policy&) {
  if (!evidence.statement) {
    return Skip(std::string(kNoStatement));
  }
  const nsgx_report_body& body = evidence.statement->body;
  const bool reserved_is_zero =
      std::ranges::all_of(body.reserved, [](uint8_t byte) { return byte == 0; });
  const bool attributes_are_known = (body.attributes & ~NSGX_ATTRIBUTE_ALL) == 0;
  return Require(reserved_is_zero && attributes_are_known, "zeros",
                 !reserved_is_zero      ? "something in the reserved field"
                 : attributes_are_known ? "zeros"
                                        : "unknown attributes",
                 "a newer format would be read wrongly");
}

Finding CheckSehSvn(const Evidence& evidence, const Policy& policy) {
  return RequireAtLeast(policy.minimum_seh_svn, Number(evidence, &nsgx_report_body::seh_svn),
                        "no minimum was given (--min-seh-svn)");
}

Finding CheckDebug(const Evidence& evidence, const Policy& policy) {
  if (!evidence.statement) {
    return Skip(std::string(kNoStatement));
  }
  const bool can_debug = (evidence.statement->body.attributes & NSGX_ATTRIBUTE_DEBUG) != 0;
  return Require(!can_debug || policy.allow_debug,
                 policy.allow_debug ? "not allowed, or allowed by --allow-debug" : "not allowed",
                 can_debug ? "allowed" : "not allowed",
                 "a debugger outside can read and change the enclave");
}

Finding CheckIdentity(const Evidence& evidence, const Policy& policy) {
  return RequireOneOf(policy.identities, Field(evidence, &nsgx_report_body::identity),
                      "no identity was given (--identity): any program passes");
}

// The key that builds sign with is no secret, so as a signer it means nobody.
Finding CheckSigner(const Evidence& evidence, const Policy& policy) {
  const auto signer = Field(evidence, &nsgx_report_body::signer);
  const bool is_development = signer && Hex(*signer) == loader::kDevelopmentSigner;
  const std::string_view warning =
      is_development ? ": it is the development key, which everybody has" : "";
  Finding finding =
      RequireOneOf(policy.signers, signer, "no signer was given (--signer)" + std::string(warning));
  if (finding.outcome == Outcome::kOk && is_development && !policy.allow_simulated) {
    return Require(false, "a key that is somebody's own", std::move(finding.got),
                   "everybody has the development key and can sign any program with it");
  }
  return finding;
}

Finding CheckProduct(const Evidence& evidence, const Policy& policy) {
  const std::optional<uint16_t> got = Number(evidence, &nsgx_report_body::product_id);
  const std::string got_text = got ? std::to_string(*got) : "none";
  if (!policy.product_id) {
    return Skip("no product was given (--product)", got_text);
  }
  return Require(got == policy.product_id, std::to_string(*policy.product_id), got_text);
}

Finding CheckSvn(const Evidence& evidence, const Policy& policy) {
  return RequireAtLeast(policy.minimum_svn, Number(evidence, &nsgx_report_body::svn),
                        "no minimum was given (--min-svn)");
}

Finding CheckConfig(const Evidence& evidence, const Policy& policy) {
  return RequireOneOf(policy.config_hashes, Field(evidence, &nsgx_report_body::config_hash),
                      "none was given (--config-hash); the identity covers it");
}

Finding CheckArgs(const Evidence& evidence, const Policy& policy) {
  return RequireOneOf(policy.args_hashes, Field(evidence, &nsgx_report_body::args_hash),
                      "none was given (--args-hash): the host chose arguments and environment");
}

Finding CheckHostCalls(const Evidence& evidence, const Policy& policy) {
  return RequireOneOf(policy.host_calls_hashes, Field(evidence, &nsgx_report_body::host_calls_hash),
                      "none was given (--host-calls-hash); the identity covers it");
}

Finding CheckReportData(const Evidence& evidence, const Policy& policy) {
  const std::span<const std::byte, 64> got = evidence.statement
                                                 ? View(evidence.statement->body.report_data)
                                                 : View(evidence.report.report_data);
  if (!policy.report_data) {
    return Skip("neither --nonce nor --report-data was given: the evidence may be an old one",
                Hex(got));
  }
  return Require(std::ranges::equal(*policy.report_data, got), Hex(*policy.report_data), Hex(got),
                 "made for somebody else, or an old one");
}

constexpr Check kChecks[] = {
    {"machine", "the machine is real hardware, or simulated ones are accepted", CheckMachine},
    {"seh-key", "the hardware's report binds the SEH's key", CheckSehKey},
    {"seh-signature", "the SEH signed what is said about the enclave", CheckSehSignature},
    {"statement-reserved", "reserved fields of the statement are zero", CheckStatementReserved},
    {"seh-svn", "the SEH's security version is high enough", CheckSehSvn},
    {"enclave-debug", "no debugger can look into the enclave", CheckDebug},
    {"identity", "the enclave is an accepted program", CheckIdentity},
    {"signer", "an accepted signer signed the enclave", CheckSigner},
    {"product", "the enclave is the signer's expected product", CheckProduct},
    {"svn", "the enclave's security version is high enough", CheckSvn},
    {"config-hash", "the enclave has an accepted configuration", CheckConfig},
    {"args-hash", "the enclave was started with accepted arguments", CheckArgs},
    {"host-calls-hash", "the enclave may make accepted host calls only", CheckHostCalls},
    {"report-data", "the evidence was made for this question", CheckReportData},
};

}  // namespace

std::span<const Check> StatementChecks() { return kChecks; }

}  // namespace nsgx::verify
