// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "base/core/hex.h"
#include "enclave-loader/sign/development_key.h"
#include "enclave-loader/verify/check_case.h"
#include "vmpl-switch/abi/image.h"

namespace nsgx::verify {
namespace {

Sha256Digest DevelopmentSigner() {
  Sha256Digest signer;
  CHECK(DecodeHex(loader::kDevelopmentSigner, signer).ok());
  return signer;
}

void UseDevelopmentKey(EvidenceParts& parts) {
  std::memcpy(parts.body.signer, DevelopmentSigner().data(), sizeof(parts.body.signer));
}

std::vector<Case> StatementCases() {
  const auto nothing = [](Policy&) {};
  return {
      {"HardwareVouchesForAnotherKey",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         parts.binds_seh_key = false;
         std::memset(parts.report.report_data, 0x55, 64);
       },
       nothing,
       {"seh-key"}},
      {"SignedByAnotherSeh",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.signs_body = "NSGX test other SEH"; },
       nothing,
       {"seh-signature"}},
      {"ReservedField",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.body.reserved[111] = 1; },
       nothing,
       {"statement-reserved"}},
      {"UnknownAttribute",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.body.attributes = uint64_t{1} << 40; },
       nothing,
       {"statement-reserved"}},
      {"OldSeh",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.body.seh_svn = 1; },
       nothing,
       {"seh-svn"}},
      {"EnclaveCanBeDebugged",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.body.attributes |= NSGX_ATTRIBUTE_DEBUG; },
       nothing,
       {"enclave-debug"}},
      {"AnotherIdentity",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.identities = {Other<32>()}; },
       {"identity"}},
      {"AnotherSigner",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.signers = {Other<32>()}; },
       {"signer"}},
      {"DevelopmentKeyOnHardware",
       NSGX_MACHINE_SNP,
       UseDevelopmentKey,
       [](Policy& policy) {
         policy.signers = {DevelopmentSigner()};
         policy.allow_simulated = false;
       },
       {"signer"}},
      {"DevelopmentKeyInTests",
       NSGX_MACHINE_SIM,
       UseDevelopmentKey,
       [](Policy& policy) { policy.signers = {DevelopmentSigner()}; },
       {}},
      {"AnotherProduct",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.product_id = 8; },
       {"product"}},
      {"OldEnclave",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.minimum_svn = 4; },
       {"svn"}},
      {"AnotherConfig",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.config_hashes = {Other<32>()}; },
       {"config-hash"}},
      {"AnotherArgs",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.args_hashes = {Other<32>()}; },
       {"args-hash"}},
      {"MoreHostCalls",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.host_calls_hashes = {Other<32>()}; },
       {"host-calls-hash"}},
      {"AnotherNonce",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.report_data = Other<64>(); },
       {"report-data"}},
  };
}

class StatementChecksTest : public VerifyTest {};

TEST_P(StatementChecksTest, ExactlyTheRightChecksFail) { ExpectExactlyTheRightChecksToFail(); }

INSTANTIATE_TEST_SUITE_P(Case, StatementChecksTest, testing::ValuesIn(StatementCases()), NameOf);

}  // namespace
}  // namespace nsgx::verify
