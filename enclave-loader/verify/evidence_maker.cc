// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/evidence_maker.h"

#include <cstring>
#include <map>
#include <string_view>

#include "base/core/bytes.h"
#include "base/crypto/sha256.h"
#include "base/crypto/sha512.h"
#include "enclave-loader/verify/time_text.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/emulator/chip/label_key.h"
#include "vmpl-switch/emulator/chip/sim_chain.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"

namespace nsgx::verify {

namespace {

constexpr std::string_view kTestRootName = "ARK-Test";
constexpr chip::RsaRecipe kTestRootKey = {"NSGX test ARK", 377, 176};

template <size_t size>
void Fill(uint8_t (&field)[size], uint8_t value) {
  std::memset(field, value, size);
}

template <size_t size>
Digest<size> Filled(uint8_t value) {
  Digest<size> digest;
  digest.fill(std::byte{value});
  return digest;
}

void SetTcb(EvidenceParts& parts, const TcbBytes& tcb) {
  for (auto* field : {&parts.report.current_tcb, &parts.report.reported_tcb,
                      &parts.report.committed_tcb, &parts.report.launch_tcb}) {
    std::memcpy(*field, tcb.data(), tcb.size());
  }
  parts.chip.amd->tcb = tcb;
}

void Append(Bytes& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

struct Chain {
  chip::der::Der root, intermediate, chip;
};

const chip::RsaKey& KeyOf(const chip::RsaRecipe& recipe) {
  static std::map<std::string_view, chip::RsaKey> keys;
  return keys.try_emplace(recipe.label, recipe).first->second;
}

Chain MakeChain(const EvidenceParts& parts) {
  const auto make = [](chip::CertificateSpec spec, chip::der::Der key, const auto& signer) {
    spec.public_key_info = std::move(key);
    return chip::MakeCertificate(spec, KeyOf(signer));
  };
  return {
      make(parts.root, KeyOf(parts.root_key).PublicKeyInfo(), parts.signs_root),
      make(parts.intermediate, KeyOf(parts.intermediate_key).PublicKeyInfo(),
           parts.signs_intermediate),
      make(parts.chip, chip::EcPublicKeyInfo(parts.chip_key), parts.signs_chip),
  };
}

EcdsaP384PublicKey::Raw PublicKey(const std::string& label) {
  return chip::LabelPublicKey(label).value().raw();
}

snp_report SignedReport(const EvidenceParts& parts) {
  snp_report report = parts.report;
  if (parts.binds_seh_key) {
    Bytes message;
    Append(message, BytesOf(std::string_view("NSGX SEH key v1")));
    Append(message, PublicKey(parts.seh_key));
    Append(message, BytesOf(parts.body.seh_svn));
    const Sha512::Digest digest = Sha512::Hash(message);
    std::memcpy(report.report_data, digest.data(), digest.size());
  }
  CHECK(chip::SignReport(parts.signs_report, report).ok());
  return report;
}

}  // namespace

EvidenceParts GoodParts(uint32_t machine) {
  EvidenceParts parts = {};
  const bool is_simulated = machine != NSGX_MACHINE_SNP;
  const std::string root_name(is_simulated ? chip::kSimArkName : kTestRootName);
  const std::string intermediate_name(is_simulated ? chip::kSimAskName : "SEV-Test");

  nsgx_report_body& body = parts.body;
  body.magic = NSGX_REPORT_MAGIC;
  body.version = NSGX_REPORT_VERSION;
  body.machine = machine;
  Fill(body.identity, 0x11);
  Fill(body.signer, 0x12);
  body.product_id = 7;
  body.svn = 3;
  body.seh_svn = 2;
  Fill(body.config_hash, 0x13);
  Fill(body.args_hash, 0x14);
  Fill(body.host_calls_hash, 0x15);
  Fill(body.instance, 0x16);
  Fill(body.report_data, 0x17);

  snp_report& report = parts.report;
  report.version = 3;
  report.guest_svn = 4;
  report.policy = 0x30000;
  report.signature_algorithm = SNP_SIGNATURE_ECDSA_P384_SHA384;
  report.platform_info = SNP_PLATFORM_SMT | SNP_PLATFORM_ALIAS_CHECK;
  Fill(report.measurement, 0x21);
  Fill(report.host_data, 0x22);
  Fill(report.id_key_digest, 0x23);
  Fill(report.author_key_digest, 0x24);
  report.key_info = SNP_KEY_INFO_AUTHOR_KEY;
  report.cpuid_family = chip::kSimCpuidFamily;
  report.cpuid_model = chip::kSimCpuidModel;
  Fill(report.chip_id, 0x25);

  parts.root.subject = parts.root.issuer = root_name;
  parts.root.ca_path_length = -1;
  parts.root.may_sign_revocations = true;
  parts.intermediate.subject = intermediate_name;
  parts.intermediate.issuer = root_name;
  parts.intermediate.serial = 0x20001;
  parts.intermediate.ca_path_length = 0;
  parts.chip.subject = chip::kSimVcekName;
  parts.chip.issuer = intermediate_name;
  parts.chip.amd.emplace();
  parts.chip.amd->product_name = "Genoa-B1";
  parts.chip.amd->hwid.assign(64, 0x25);
  // Two values need the second byte that DER gives to numbers from 0x80 on.
  SetTcb(parts, {9, 0, 0, 0, 0, 0, 0x80, 0xff});

  parts.root_key = parts.signs_root = parts.signs_intermediate =
      is_simulated ? chip::kSimArkKey : kTestRootKey;
  parts.intermediate_key = parts.signs_chip = chip::kSimAskKey;
  parts.chip_key = parts.signs_report = "NSGX test chip";
  parts.seh_key = parts.signs_body = "NSGX test SEH";
  return parts;
}

void UseVlek(EvidenceParts& parts) {
  parts.report.key_info |= SNP_SIGNING_KEY_VLEK << 2;
  Fill(parts.report.chip_id, 0);
  parts.intermediate.subject = parts.chip.issuer = "SEV-VLEK-Test";
  parts.intermediate_key = parts.signs_chip = kVlekSignerKey;
  parts.chip.subject = "SEV-VLEK";
  parts.chip.amd->hwid.clear();
  parts.chip.amd->csp_id = "a-provider";
}

void UseTurin(EvidenceParts& parts) {
  parts.report.version = 5;
  parts.report.cpuid_family = 0x1a;
  parts.report.cpuid_model = 0x02;
  parts.report.launch_mitigations = 1;
  parts.report.current_mitigations = 3;
  std::memset(parts.report.chip_id + 8, 0, 56);
  parts.chip.amd->product_name = "Turin-C1";
  parts.chip.amd->hwid.assign(8, 0x25);
  parts.chip.amd->is_turin_layout = true;
  SetTcb(parts, {1, 2, 3, 4, 0, 0, 0, 0x48});
}

Bytes Assemble(const EvidenceParts& parts) {
  nsgx_evidence_core core = {};
  core.body = parts.body;
  const EcdsaP384PublicKey::Raw key = PublicKey(parts.seh_key);
  std::memcpy(core.seh_public_key, key.data(), key.size());
  const EcdsaP384Signature signature =
      chip::SignWithLabel(parts.signs_body, BytesOf(core.body)).value();
  std::memcpy(core.seh_signature, signature.data(), signature.size());
  const snp_report report = SignedReport(parts);
  std::memcpy(core.snp_report, &report, sizeof(report));

  const Chain chain = MakeChain(parts);
  Bytes out(sizeof(nsgx_evidence_header));
  Append(out, BytesOf(core));
  for (const chip::der::Der* certificate : {&chain.chip, &chain.intermediate, &chain.root}) {
    Append(out, BytesOf(static_cast<uint32_t>(certificate->size())));
    Append(out, std::as_bytes(std::span(*certificate)));
  }
  const nsgx_evidence_header header = {NSGX_EVIDENCE_MAGIC, NSGX_EVIDENCE_VERSION,
                                       static_cast<uint32_t>(out.size()), 3, 0};
  std::memcpy(out.data(), &header, sizeof(header));
  return out;
}

HardwareFiles AssembleHardware(const EvidenceParts& parts) {
  const Chain chain = MakeChain(parts);
  HardwareFiles files;
  Append(files.report, BytesOf(SignedReport(parts)));
  Append(files.chip, std::as_bytes(std::span(chain.chip)));
  // Two certificates in one file are PEM.
  for (const chip::der::Der* certificate : {&chain.intermediate, &chain.root}) {
    Append(files.authorities, BytesOf(chip::der::CertificatePem(*certificate)));
  }
  return files;
}

Policy TestPolicy() {
  Policy policy;
  policy.time = ParseTime("2026-11-21").value();
  policy.identities = {Filled<32>(0x11)};
  policy.signers = {Filled<32>(0x12)};
  policy.product_id = 7;
  policy.minimum_svn = 3;
  policy.config_hashes = {Filled<32>(0x13)};
  policy.args_hashes = {Filled<32>(0x14)};
  policy.host_calls_hashes = {Filled<32>(0x15)};
  policy.report_data = Filled<64>(0x17);
  policy.seh_measurements = {Filled<48>(0x21)};
  policy.minimum_seh_svn = 2;
  policy.minimum_guest_svn = 4;
  policy.host_data = {Filled<32>(0x22)};
  policy.id_key_digests = {Filled<48>(0x23)};
  policy.author_key_digests = {Filled<48>(0x24)};
  policy.require_alias_check = true;
  policy.allow_simulated = true;
  const chip::der::Der test_root = KeyOf(kTestRootKey).PublicKeyInfo();
  policy.more_roots = {Sha256::Hash(std::as_bytes(std::span(test_root)))};
  return policy;
}

}  // namespace nsgx::verify
