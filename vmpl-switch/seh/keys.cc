// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/keys.h"

#include <string_view>

#include "base/core/bytes.h"
#include "base/core/scope_exit.h"
#include "base/crypto/constant_time.h"
#include "base/crypto/hkdf.h"
#include "base/crypto/secure_zero.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::seh {
namespace {

// What each derivation is for. Constants, so that nothing has to count their characters at run
// time.
constexpr std::string_view kSealingKeyLabel = "NSGX sealing key v1";
constexpr std::string_view kReportKeyLabel = "NSGX report key v1";
constexpr std::string_view kEvidenceKeyLabel = "NSGX SEH key v1";  // abi/report.h
constexpr std::string_view kEvidenceDrbgLabel = "NSGX evidence v1";

// Says what a sealing key is for. Every field parts keys.
struct SealingKeyInfo {
  uint32_t policy;
  uint16_t product_id;
  uint16_t svn;
  uint64_t attributes;  // of those, the ones that part keys
  uint8_t owner[32];
  uint8_t key_id[32];
};
static_assert(sizeof(SealingKeyInfo) == 80);

// A debug enclave shows its keys to everybody.
constexpr uint64_t kKeyAttributes = NSGX_ATTRIBUTE_DEBUG;

nsgx_report_body WithReportData(const nsgx_report_body& owner, const void* report_data) {
  nsgx_report_body body = owner;
  __builtin_memcpy(body.report_data, report_data, sizeof(body.report_data));
  return body;
}

HmacSha256::Mac MacOf(std::span<const std::byte> key, const nsgx_report& report) {
  HmacSha256 hmac(key);
  hmac.Update(BytesOf(report.body));
  hmac.Update(std::as_bytes(std::span(report.target)));
  return hmac.Finish();
}

// Seeds from the machine.
class MachineEntropy final : public EntropySource {
 public:
  explicit MachineEntropy(Machine& machine) : machine_(machine) {}

  Result<void> Fill(std::span<std::byte> seed) override {
    Result<void> result = machine_.Random(seed);
    if (!result.ok()) {
      SecureZero(seed);
      return Error(Status::kEntropyFailure);
    }
    return {};
  }

 private:
  Machine& machine_;
};

}  // namespace

KeyStore::~KeyStore() {
  SecureZero(root_.bytes);
  SecureZero(report_.bytes);
}

template <typename Make>
Result<void> KeyStore::Get(Secret KeyStore::* which, std::span<std::byte, 32> out, Make&& make) {
  Secret& secret = this->*which;
  {
    SpinLockGuard guard(lock_);
    if (secret.is_made) {
      __builtin_memcpy(out.data(), secret.bytes.data(), out.size());
      return {};
    }
  }
  // The machine is asked without the lock. When two ask at once, the first answer stays.
  TRY(make(out));
  SpinLockGuard guard(lock_);
  if (!secret.is_made) {
    __builtin_memcpy(secret.bytes.data(), out.data(), out.size());
    secret.is_made = true;
  }
  __builtin_memcpy(out.data(), secret.bytes.data(), out.size());
  return {};
}

Result<void> KeyStore::DeriveKey(const nsgx_report_body& owner, const nsgx_key_request& request,
                                 std::span<std::byte, 32> key) {
  if ((request.policy != NSGX_KEY_BY_IDENTITY && request.policy != NSGX_KEY_BY_SIGNER) ||
      request.reserved != 0) {
    return Error(Status::kInvalidArgument);
  }
  if (request.svn > owner.svn) {
    return Error(Status::kPermissionDenied);
  }
  SealingKeyInfo info = {};
  info.policy = request.policy;
  info.product_id = owner.product_id;
  info.svn = request.svn;
  info.attributes = owner.attributes & kKeyAttributes;
  __builtin_memcpy(info.owner,
                   request.policy == NSGX_KEY_BY_IDENTITY ? owner.identity : owner.signer,
                   sizeof(info.owner));
  __builtin_memcpy(info.key_id, request.key_id, sizeof(info.key_id));

  std::array<std::byte, 32> root;
  const ScopeExit wipe([&] { SecureZero(root); });
  TRY(Get(&KeyStore::root_, root,
          [&](std::span<std::byte, 32> out) { return machine_.RootKey(out); }));
  return Hkdf(root, BytesOf(kSealingKeyLabel), BytesOf(info), key);
}

Result<void> KeyStore::ReportKey(const uint8_t (&target)[32], std::span<std::byte, 32> key) {
  std::array<std::byte, 32> secret;
  const ScopeExit wipe([&] { SecureZero(secret); });
  TRY(Get(&KeyStore::report_, secret,
          [&](std::span<std::byte, 32> out) { return machine_.Random(out); }));
  return Hkdf(secret, BytesOf(kReportKeyLabel), std::as_bytes(std::span(target)), key);
}

Result<void> KeyStore::MakeReport(const nsgx_report_body& owner, const nsgx_report_request& request,
                                  nsgx_report& report) {
  std::array<std::byte, 32> key;
  const ScopeExit wipe([&] { SecureZero(key); });
  TRY(ReportKey(request.target, key));
  report.body = WithReportData(owner, request.report_data);
  __builtin_memcpy(report.target, request.target, sizeof(report.target));
  const HmacSha256::Mac mac = MacOf(key, report);
  __builtin_memcpy(report.mac, mac.data(), mac.size());
  return {};
}

Result<void> KeyStore::VerifyReport(const nsgx_report_body& verifier, const nsgx_report& report) {
  // The key of the verifier's own identity: a report for anybody else does not pass, whatever its
  // target says.
  std::array<std::byte, 32> key;
  const ScopeExit wipe([&] { SecureZero(key); });
  TRY(ReportKey(verifier.identity, key));
  if (!EqualInConstantTime(MacOf(key, report), std::as_bytes(std::span(report.mac)))) {
    return Error(Status::kBadTag);
  }
  return {};
}

Result<KeyStore::EvidenceKey> KeyStore::MakeEvidenceKey(Drbg& drbg) {
  EvidenceKey made{TRY(EcdsaP384PrivateKey::Generate(drbg)), {}};
  // abi/report.h: SHA-512("NSGX SEH key v1" || public key || svn).
  Sha512 hash;
  hash.Update(BytesOf(kEvidenceKeyLabel));
  hash.Update(made.key.public_key().raw());
  hash.Update(BytesOf(kSehSvn));
  TRY(machine_.HardwareReport(hash.Finish(), made.hardware_report));
  return made;
}

Result<const KeyStore::EvidenceKey*> KeyStore::GetEvidenceKey(Drbg& drbg) {
  {
    SpinLockGuard guard(lock_);
    if (evidence_.has_value()) {
      return &*evidence_;
    }
  }
  // As in Get: made without the lock, and the first one stays.
  EvidenceKey made = TRY(MakeEvidenceKey(drbg));
  SpinLockGuard guard(lock_);
  if (!evidence_.has_value()) {
    evidence_.emplace(std::move(made));
  }
  return &*evidence_;
}

Result<void> KeyStore::MakeEvidence(const nsgx_report_body& owner,
                                    std::span<const std::byte, 64> report_data,
                                    nsgx_evidence_core& evidence) {
  MachineEntropy entropy(machine_);
  Drbg drbg;
  TRY(drbg.Seed(entropy, BytesOf(kEvidenceDrbgLabel)));
  const EvidenceKey& key = *TRY(GetEvidenceKey(drbg));
  evidence.body = WithReportData(owner, report_data.data());
  const EcdsaP384Signature signature =
      TRY(key.key.Sign(Sha384::Hash(BytesOf(evidence.body)), drbg));
  const EcdsaP384PublicKey::Raw& public_key = key.key.public_key().raw();
  __builtin_memcpy(evidence.seh_public_key, public_key.data(), sizeof(evidence.seh_public_key));
  __builtin_memcpy(evidence.seh_signature, signature.data(), sizeof(evidence.seh_signature));
  __builtin_memcpy(evidence.snp_report, key.hardware_report.data(), sizeof(evidence.snp_report));
  return {};
}

Result<void> KeyStore::EvidencePublicKey(std::span<std::byte, 96> out) {
  MachineEntropy entropy(machine_);
  Drbg drbg;
  TRY(drbg.Seed(entropy, BytesOf(kEvidenceDrbgLabel)));
  const EcdsaP384PublicKey::Raw& public_key = TRY(GetEvidenceKey(drbg))->key.public_key().raw();
  __builtin_memcpy(out.data(), public_key.data(), out.size());
  return {};
}

}  // namespace nsgx::seh
