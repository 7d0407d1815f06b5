// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/verify/check_case.h"
#include "enclave-loader/verify/time_text.h"
#include "vmpl-switch/emulator/chip/sim_chain.h"

namespace nsgx::verify {
namespace {

std::vector<Case> ChainCases() {
  return {
      {"SimulatedIsRefusedByName",
       NSGX_MACHINE_SIM,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.allow_simulated = false; },
       {"root", "machine"}},
      {"EmulatedIsRefusedByName",
       NSGX_MACHINE_EMU,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.allow_simulated = false; },
       {"root", "machine"}},
      {"SehOnEmulatedProcessorIsRefusedByName",
       NSGX_MACHINE_SIM,
       [](EvidenceParts& parts) { parts.body.machine = NSGX_MACHINE_SNP; },
       [](Policy& policy) {
         policy.allow_simulated = false;
         policy.seh_measurements.clear();
       },
       {"root", "machine"}},
      {"HardwareRootClaimsEmulation",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.body.machine = NSGX_MACHINE_EMU; },
       [](Policy&) {},
       {"machine"}},
      {"HardwareRootClaimsSimulation",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.body.machine = NSGX_MACHINE_SIM; },
       [](Policy&) {},
       {"machine"}},
      {"UnknownMachine",
       NSGX_MACHINE_SIM,
       [](EvidenceParts& parts) { parts.body.machine = 9; },
       [](Policy&) {},
       {"machine"}},
      {"UnknownRoot",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.more_roots.clear(); },
       {"root"}},
      {"RootWithAmdsNameAndAnotherKey",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         parts.root.subject = parts.root.issuer = parts.intermediate.issuer = "ARK-Genoa";
         parts.root_key = parts.signs_root = parts.signs_intermediate = kStrangerKey;
       },
       [](Policy&) {},
       {"root"}},
      {"RootSignedByStranger",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.signs_root = kStrangerKey; },
       [](Policy&) {},
       {"root-signature"}},
      {"RootOfAnotherName",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.root.issuer = "ARK-Other"; },
       [](Policy&) {},
       {"root-signature"}},
      {"IntermediateSignedByStranger",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.signs_intermediate = kStrangerKey; },
       [](Policy&) {},
       {"intermediate-signature"}},
      {"IntermediateIsNoAuthority",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.intermediate.ca_path_length.reset(); },
       [](Policy&) {},
       {"chip-signature"}},
      {"ChipSignedByStranger",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.signs_chip = kStrangerKey; },
       [](Policy&) {},
       {"chip-signature"}},
      {"ChipSignedByRoot",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) {
         parts.chip.issuer = parts.root.subject;
         parts.signs_chip = parts.root_key;
       },
       [](Policy&) {},
       {"chip-signature"}},
      {"ChipExpired",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.not_after = "20261120235959Z"; },
       [](Policy&) {},
       {"chip-validity"}},
      {"ChipNotYetValid",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.not_before = "20261121000001Z"; },
       [](Policy&) {},
       {"chip-validity"}},
      {"IntermediateExpired",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.intermediate.not_after = "20261120235959Z"; },
       [](Policy&) {},
       {"intermediate-validity"}},
      {"RootExpired",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.root.not_after = "20261120235959Z"; },
       [](Policy&) {},
       {"root-validity"}},
      {"EverythingExpired",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.time = ParseTime("2060-01-01").value(); },
       {"root-validity", "intermediate-validity", "chip-validity"}},
      {"AnotherProvider",
       NSGX_MACHINE_SNP,
       UseVlek,
       [](Policy& policy) { policy.csp_ids = {"another"}; },
       {"csp"}},
      {"VcekHasNoProvider",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.csp_ids = {"a-provider"}; },
       {"csp"}},
      {"UnknownProduct",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.chip.amd->product_name = "Venice-A0"; },
       [](Policy&) {},
       {"generation"}},
      {"GenerationOfAnotherProcessor",
       NSGX_MACHINE_SNP,
       [](EvidenceParts& parts) { parts.report.cpuid_model = 0x01; },
       [](Policy&) {},
       {"generation"}},
      {"GenerationNotAskedFor",
       NSGX_MACHINE_SNP,
       [](EvidenceParts&) {},
       [](Policy& policy) { policy.generations = {Generation::kMilan, Generation::kTurin}; },
       {"generation"}},
  };
}

class ChainChecksTest : public VerifyTest {};

TEST_P(ChainChecksTest, ExactlyTheRightChecksFail) { ExpectExactlyTheRightChecksToFail(); }

INSTANTIATE_TEST_SUITE_P(Case, ChainChecksTest, testing::ValuesIn(ChainCases()), NameOf);

class RevocationTest : public testing::Test {
 protected:
  Names FailedWith(const std::string& issuer, const std::string& next_update,
                   const std::vector<uint64_t>& serials, const chip::RsaRecipe& key) {
    Policy policy = TestPolicy();
    const chip::der::Der der = chip::MakeRevocationList(issuer, "20261101000000Z", next_update,
                                                        serials, chip::RsaKey(key));
    Result<RevocationList> list = RevocationList::Parse(std::as_bytes(std::span(der)));
    EXPECT_TRUE(list.ok());
    policy.revocation_lists.push_back(std::move(list).value());
    return Failed(VerifyFile(Assemble(GoodParts(NSGX_MACHINE_SIM)), policy));
  }
  const std::string root_name_ = std::string(chip::kSimArkName);
};

TEST_F(RevocationTest, NotOnTheList) {
  EXPECT_EQ(FailedWith(root_name_, "20261201000000Z", {}, chip::kSimArkKey), Names{});
  EXPECT_EQ(FailedWith(root_name_, "20261201000000Z", {0x20002}, chip::kSimArkKey), Names{});
}

TEST_F(RevocationTest, OnTheList) {
  EXPECT_EQ(FailedWith(root_name_, "20261201000000Z", {5, 0x20001}, chip::kSimArkKey),
            Names{"revocation"});
}

TEST_F(RevocationTest, OldForgedAndForeignLists) {
  EXPECT_EQ(FailedWith(root_name_, "20261120000000Z", {}, chip::kSimArkKey), Names{"revocation"});
  EXPECT_EQ(FailedWith(root_name_, "20261201000000Z", {}, kStrangerKey), Names{"revocation"});
  EXPECT_EQ(FailedWith("ARK-Other", "20261201000000Z", {}, chip::kSimArkKey), Names{"revocation"});
}

}  // namespace
}  // namespace nsgx::verify
