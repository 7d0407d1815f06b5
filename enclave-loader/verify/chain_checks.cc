// SPDX-License-Identifier: Apache-2.0
// From the root to the key that signed the report: root (ARK), intermediate (ASK or ASVK), chip
// (VCEK or VLEK).
#include "enclave-loader/verify/checks.h"
#include "enclave-loader/verify/roots.h"
#include "enclave-loader/verify/time_text.h"

namespace nsgx::verify {

ChipKey ChipKeyOf(const Certificate& chip) {
  const std::string name = chip.Name();
  if (name.starts_with("SEV-VCEK")) {
    return ChipKey::kVcek;
  }
  return name.starts_with("SEV-VLEK") ? ChipKey::kVlek : ChipKey::kNeither;
}

namespace {

Finding CheckRoot(const Evidence& evidence, const Policy& policy) {
  const Sha256Digest key_hash = evidence.root.PublicKeyHash();
  std::string expected;
  for (const Root& root : KnownRoots()) {
    if (!root.is_simulated || policy.allow_simulated) {
      expected += (expected.empty() ? "" : " or ") + std::string(root.name);
    }
  }
  expected += policy.more_roots.empty() ? "" : " or one of the given roots";
  if (const Root* root = FindRoot(key_hash)) {
    return Require(!root->is_simulated || policy.allow_simulated, std::move(expected),
                   std::string(root->name),
                   "no hardware stands behind this root and everybody can sign under it; "
                   "--allow-simulated accepts it for tests");
  }
  return Require(std::ranges::find(policy.more_roots, key_hash) != policy.more_roots.end(),
                 std::move(expected), evidence.root.Name() + " with key " + Hex(key_hash),
                 "a name can be had by everybody, the key is not the one of a known root");
}

// What every authority has to be, besides being signed.
std::string_view AuthorityFault(const Certificate& authority) {
  if (!authority.MaySignCertificates()) {
    return "it may not sign certificates";
  }
  return authority.HasRsa4096Key() ? "" : "its key is not RSA of 4096 bits";
}

Finding RequireSigned(const Certificate& child, const Certificate& issuer) {
  const std::string expected = "issued and signed by " + issuer.Name();
  if (!child.NamesAsIssuer(issuer)) {
    return Require(false, expected, "issuer " + child.IssuerName(), "the names do not fit");
  }
  if (!child.ClaimsAmdSignature()) {
    return Require(false, expected, "another signature algorithm",
                   "AMD signs with RSASSA-PSS, SHA-384 and 48 bytes of salt only");
  }
  if (!child.IsSignedBy(issuer)) {
    return Require(false, expected, "a signature that does not hold",
                   "forged, damaged, or of another authority with that name");
  }
  const std::string_view fault = AuthorityFault(issuer);
  return Require(fault.empty(), expected, issuer.Name(), std::string(fault));
}

Finding CheckRootSignature(const Evidence& evidence, const Policy&) {
  return RequireSigned(evidence.root, evidence.root);
}

Finding CheckIntermediateSignature(const Evidence& evidence, const Policy&) {
  return RequireSigned(evidence.intermediate, evidence.root);
}

Finding CheckChipSignature(const Evidence& evidence, const Policy&) {
  return RequireSigned(evidence.chip, evidence.intermediate);
}

Finding RequireValid(const Certificate& certificate, const Policy& policy) {
  return Require(certificate.not_before() <= policy.time && policy.time <= certificate.not_after(),
                 "valid at " + TimeText(policy.time),
                 TimeText(certificate.not_before()) + " to " + TimeText(certificate.not_after()),
                 policy.time < certificate.not_before() ? "not valid yet" : "expired");
}

Finding CheckRootValidity(const Evidence& evidence, const Policy& policy) {
  return RequireValid(evidence.root, policy);
}

Finding CheckIntermediateValidity(const Evidence& evidence, const Policy& policy) {
  return RequireValid(evidence.intermediate, policy);
}

Finding CheckChipValidity(const Evidence& evidence, const Policy& policy) {
  return RequireValid(evidence.chip, policy);
}

Finding CheckRevocation(const Evidence& evidence, const Policy& policy) {
  if (policy.revocation_lists.empty()) {
    return Skip("no revocation list was given (--crl)");
  }
  const std::string expected = "a current list of " + evidence.root.Name() + " that names none";
  for (const RevocationList& list : policy.revocation_lists) {
    if (!list.NamesAsIssuer(evidence.root)) {
      continue;
    }
    if (!list.IsSignedBy(evidence.root)) {
      return Require(false, expected, "a list whose signature does not hold");
    }
    if (policy.time < list.this_update() || policy.time > list.next_update()) {
      return Require(
          false, expected,
          "a list for " + TimeText(list.this_update()) + " to " + TimeText(list.next_update()),
          "fetch a new one");
    }
    if (list.Revokes(evidence.intermediate)) {
      return Require(false, expected, evidence.intermediate.Name() + " is revoked");
    }
    return Require(true, expected, "not revoked");
  }
  return Require(false, expected, "no list of this root");
}

Finding CheckGeneration(const Evidence& evidence, const Policy& policy) {
  const std::string& product = evidence.chip.amd().product_name;
  const Generation generation = GenerationOfProduct(product);
  std::string expected;
  for (Generation one : policy.generations) {
    expected += (expected.empty() ? "" : " or ") + std::string(GenerationName(one));
  }
  if (expected.empty()) {
    expected = "a known one";
  }
  const std::string got = product.empty() ? "no product name in the certificate" : product;
  if (generation == Generation::kUnknown) {
    return Require(false, expected, got, "the meaning of its security versions is not known");
  }
  const Root* root = FindRoot(evidence.root.PublicKeyHash());
  if (root != nullptr && root->generation != Generation::kUnknown &&
      root->generation != generation) {
    return Require(false, expected, got, "the root is " + std::string(root->name));
  }
  const snp_report& report = evidence.report;
  if (report.version >= 3 &&
      GenerationOfCpuid(report.cpuid_family, report.cpuid_model) != generation) {
    return Require(false, expected, got,
                   "the report is of a processor of family " + std::to_string(report.cpuid_family) +
                       ", model " + std::to_string(report.cpuid_model));
  }
  return Require(policy.generations.empty() ||
                     std::ranges::find(policy.generations, generation) != policy.generations.end(),
                 expected, got, "this generation was not asked for");
}

Finding CheckCsp(const Evidence& evidence, const Policy& policy) {
  const std::string& csp_id = evidence.chip.amd().csp_id;
  const std::string got = csp_id.empty() ? "none" : csp_id;
  if (policy.csp_ids.empty()) {
    return Skip("no provider was given (--csp)", got);
  }
  std::string expected;
  for (const std::string& one : policy.csp_ids) {
    expected += (expected.empty() ? "" : " or ") + one;
  }
  return Require(std::ranges::find(policy.csp_ids, csp_id) != policy.csp_ids.end(), expected, got,
                 "only a VLEK belongs to a provider");
}

constexpr Check kChecks[] = {
    {"root", "the chain begins at a root whose key this verifier knows", CheckRoot},
    {"root-signature", "the root's certificate is signed by itself", CheckRootSignature},
    {"intermediate-signature", "the root signed the intermediate authority",
     CheckIntermediateSignature},
    {"chip-signature", "the intermediate authority signed the chip's certificate",
     CheckChipSignature},
    {"root-validity", "the root's certificate is valid at the given time", CheckRootValidity},
    {"intermediate-validity", "the intermediate's certificate is valid at the given time",
     CheckIntermediateValidity},
    {"chip-validity", "the chip's certificate is valid at the given time", CheckChipValidity},
    {"revocation", "the intermediate authority has not been revoked", CheckRevocation},
    {"generation", "root, certificate and report agree on the generation of processor",
     CheckGeneration},
    {"csp", "the chip is run by an accepted cloud provider", CheckCsp},
};

}  // namespace

std::span<const Check> ChainChecks() { return kChecks; }

}  // namespace nsgx::verify
