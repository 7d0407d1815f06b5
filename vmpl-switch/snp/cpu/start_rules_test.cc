// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/start_rules.h"

#include <gtest/gtest.h>

#include "vmpl-switch/abi/ghcb.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

constexpr uint64_t kGood =
    SNP_STATUS_SEV | SNP_STATUS_SEV_ES | SNP_STATUS_SEV_SNP | SNP_STATUS_RESTRICTED_INJECTION;

TEST(StartRulesTest, SevStatus) {
  EXPECT_TRUE(CheckSevStatus(kGood).ok());
  EXPECT_TRUE(CheckSevStatus(kGood | SNP_STATUS_DEBUG_SWAP | SNP_STATUS_SECURE_TSC).ok());
  const struct {
    uint64_t status;
    Termination reason;
  } kCases[] = {
      {0, Termination::kNotSnp},
      {kGood & ~SNP_STATUS_SEV, Termination::kNotSnp},
      {kGood & ~SNP_STATUS_SEV_ES, Termination::kNotSnp},
      {kGood & ~SNP_STATUS_SEV_SNP, Termination::kNotSnp},
      {kGood & ~SNP_STATUS_RESTRICTED_INJECTION, Termination::kNoRestrictedInjection},
      {kGood | SNP_STATUS_VTOM, Termination::kRefusedFeature},
      {kGood | SNP_STATUS_REFLECT_VC, Termination::kRefusedFeature},
      {kGood | SNP_STATUS_ALTERNATE_INJECTION, Termination::kRefusedFeature},
      {kGood | uint64_t{1} << 10, Termination::kRefusedFeature},
      {kGood | uint64_t{1} << 63, Termination::kRefusedFeature},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(CheckSevStatus(test.status).error(), test.reason) << test.status;
  }
}

uint64_t Info(uint64_t lowest, uint64_t highest) {
  return highest << 48 | lowest << 32 | uint64_t{47} << 24 | GHCB_MSR_INFO_RESPONSE;
}

TEST(StartRulesTest, GhcbVersion) {
  EXPECT_TRUE(CheckGhcbInfo(Info(1, 2)).ok());
  EXPECT_TRUE(CheckGhcbInfo(Info(2, 2)).ok());
  EXPECT_TRUE(CheckGhcbInfo(Info(1, 3)).ok());
  for (const uint64_t answer : {Info(1, 1), Info(3, 3), Info(0, 0), Info(1, 2) + 1, uint64_t{0},
                                uint64_t{GHCB_MSR_INFO_REQUEST}}) {
    EXPECT_EQ(CheckGhcbInfo(answer).error(), Termination::kGhcbVersion) << answer;
  }
}

TEST(StartRulesTest, HostFeatures) {
  constexpr uint64_t kAll = GHCB_FEATURE_SNP | GHCB_FEATURE_AP_CREATION |
                            GHCB_FEATURE_RESTRICTED_INJECTION | GHCB_FEATURE_MULTI_VMPL;
  EXPECT_TRUE(CheckHostFeatures(kAll << 12 | GHCB_MSR_FEATURES_RESPONSE).ok());
  EXPECT_TRUE(CheckHostFeatures(~uint64_t{0xfff} | GHCB_MSR_FEATURES_RESPONSE).ok());
  for (unsigned bit = 0; bit < 6; ++bit) {
    const uint64_t features = kAll & ~(uint64_t{1} << bit);
    if (features != kAll) {
      EXPECT_EQ(CheckHostFeatures(features << 12 | GHCB_MSR_FEATURES_RESPONSE).error(),
                Termination::kHostFeatures)
          << bit;
    }
  }
  EXPECT_EQ(CheckHostFeatures(kAll << 12 | GHCB_MSR_FEATURES_REQUEST).error(),
            Termination::kHostFeatures);
}

}  // namespace
}  // namespace nsgx::snp
