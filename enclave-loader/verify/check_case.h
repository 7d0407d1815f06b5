// SPDX-License-Identifier: Apache-2.0
// For the tests of checks: evidence with one thing wrong, and exactly the checks that notice.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "enclave-loader/verify/evidence_maker.h"
#include "enclave-loader/verify/verify.h"
#include "vmpl-switch/abi/boot.h"

namespace nsgx::verify {

using Names = std::set<std::string_view>;

inline Names Failed(const Verdict& verdict) {
  Names out;
  for (const Row& row : verdict.rows) {
    if (row.outcome == Outcome::kFailed) {
      out.insert(row.name);
    }
  }
  return out;
}

inline Verdict VerifyFile(const Bytes& file, const Policy& policy) {
  const Result<Evidence, Malformed> evidence = ParseEvidence(file);
  EXPECT_TRUE(evidence.ok());
  return evidence.ok() ? Verify(evidence.value(), policy) : Verdict{};
}

struct Case {
  std::string name;
  uint32_t machine = NSGX_MACHINE_SNP;
  std::function<void(EvidenceParts&)> change = [](EvidenceParts&) {};
  std::function<void(Policy&)> ask = [](Policy&) {};
  Names failed = {};
};

inline void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }
inline std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

// What nobody in these tests expects.
template <size_t size>
Digest<size> Other() {
  Digest<size> digest;
  digest.fill(std::byte{0xee});
  return digest;
}

class VerifyTest : public testing::TestWithParam<Case> {
 protected:
  void ExpectExactlyTheRightChecksToFail() {
    EvidenceParts parts = GoodParts(GetParam().machine);
    GetParam().change(parts);
    Policy policy = TestPolicy();
    GetParam().ask(policy);
    const Verdict verdict = VerifyFile(Assemble(parts), policy);
    EXPECT_EQ(Failed(verdict), GetParam().failed);
    EXPECT_EQ(verdict.verified(), GetParam().failed.empty());
  }
};

}  // namespace nsgx::verify
